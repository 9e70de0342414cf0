import { parseOptions } from '../../../functions/local/options.ts';

const taken = (argv: string[], env: NodeJS.ProcessEnv = {}) => {
  const parsed = parseOptions(argv, env);
  if (!parsed.ok) throw new Error(parsed.fault.text);
  return parsed.value;
};
const refused = (argv: string[], env: NodeJS.ProcessEnv = {}) => {
  const parsed = parseOptions(argv, env);
  if (parsed.ok) throw new Error('taken');
  return parsed.fault;
};

describe('the options of npm start', () => {
  it('have defaults for someone who gives none', () => {
    expect(taken([])).toEqual({
      port: 8080,
      data: '.data',
      relays: 1,
      verbose: false,
      showFrom: 'WARNING',
    });
  });

  it('are taken from the command line before the environment', () => {
    const env = { PORT: '9000', DATA_DIR: '/elsewhere', RELAYS: '3' };
    expect(taken([], env)).toMatchObject({ port: 9000, data: '/elsewhere', relays: 3 });
    expect(taken(['--port', '7000', '--data', 'x', '--relays', '2'], env)).toMatchObject({
      port: 7000,
      data: 'x',
      relays: 2,
    });
  });

  it.each([
    [['--port', 'http'], 'from 1 to 65535'],
    [['--port', '0'], 'from 1 to 65535'],
    [['--port', '65536'], 'from 1 to 65535'],
    [['--port', '8080.5'], 'from 1 to 65535'],
    [['--relays', '0'], 'from 1 to 16'],
    [['--relays', '17'], 'from 1 to 16'],
    [['--data', ' '], 'must name a folder'],
    [['--relais', '2'], "unknown option '--relais'"],
    [['now'], 'too many arguments'],
    [['--port', '65535', '--relays', '2'], 'would pass port 65535'],
  ])('refuse %j and say why', (argv, why) => {
    const fault = refused(argv);
    expect(fault.exitCode).toBe(1);
    expect(fault.text).toContain(why);
  });

  it('name the variable of the environment that holds a wrong value', () => {
    expect(refused([], { PORT: 'x' }).text).toMatch(/PORT is 'x'.*from 1 to 65535/);
    expect(taken(['--port', '8081'], { PORT: 'x' }).port).toBe(8081);
  });

  it('explain themselves', () => {
    const fault = refused(['--help']);
    expect(fault.exitCode).toBe(0);
    for (const option of ['--port', '--data', '--relays', '--verbose', 'DATA_DIR']) {
      expect(fault.text).toContain(option);
    }
  });

  it('show from the level that LOG_LEVEL names, and everything when verbose', () => {
    expect(taken([], { LOG_LEVEL: 'info' }).showFrom).toBe('INFO');
    expect(taken(['--verbose'], { LOG_LEVEL: 'error' }).showFrom).toBe('DEBUG');
  });
});
