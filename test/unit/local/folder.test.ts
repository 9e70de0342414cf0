import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DataFolder } from '../../../functions/local/folder.ts';
import { endLeftovers } from '../../../functions/local/leftovers.ts';
import { inspectProcess } from '../../../functions/local/processes.ts';
import { makeFolder } from '../../support/local/folder.ts';
import { until } from '../../support/until.ts';

const temporary = makeFolder();
const sleepers: ChildProcess[] = [];
afterAll(() => {
  for (const sleeper of sleepers) sleeper.kill('SIGKILL');
  temporary.remove();
});

const sleeper = (): number => {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
  sleepers.push(child);
  return child.pid as number;
};
const alive = (pid: number): boolean => inspectProcess(pid) !== undefined;

describe('the data folder', () => {
  const path = join(temporary.path, 'data');

  it('belongs to one supervisor at a time, and the second one is told who has it', () => {
    const first = DataFolder.open(path);
    first.note('supervisor', process.pid);
    expect(() => DataFolder.open(path)).toThrow(
      new RegExp(`already running on the data folder ${path} \\(process ${process.pid}\\)`),
    );
    first.close();
    DataFolder.open(path).close();
  });

  it('says so when it cannot be made', () => {
    const file = join(temporary.path, 'file');
    writeFileSync(file, '');
    expect(() => DataFolder.open(join(file, 'data'))).toThrow(/cannot be made/);
  });

  it('names each process in a file that holds nothing but the number', () => {
    const folder = DataFolder.open(path);
    folder.note('store', process.pid);
    expect(readFileSync(join(path, 'run', 'store.pid'), 'utf8')).toBe(`${process.pid}\n`);
    expect(folder.records()).toMatchObject([{ name: 'store', pid: process.pid }]);
    folder.forget('store');
    expect(folder.records()).toEqual([]);
    folder.note('store', process.pid);
    folder.close();
    expect(readdirSync(join(path, 'run'))).toEqual(['lock']);
  });
});

describe('what an earlier start left over', () => {
  const path = join(temporary.path, 'left');

  it('is ended when number, start time and command line agree', async () => {
    const folder = DataFolder.open(path);
    const pid = sleeper();
    folder.note('store', pid);
    const notes: string[] = [];
    await endLeftovers(folder, (note) => notes.push(note));
    expect(alive(pid)).toBe(false);
    expect(notes.join()).toContain(`store (process ${pid})`);
    expect(folder.records()).toEqual([]);
    folder.close();
  });

  it.each(['started', 'command'])('is let alone when its %s differs', async (field) => {
    const folder = DataFolder.open(path);
    const pid = sleeper();
    await until(() => alive(pid), { what: 'process' });
    folder.note('store', pid);
    const file = join(path, 'run', 'store.process');
    const record = JSON.parse(readFileSync(file, 'utf8'));
    writeFileSync(file, JSON.stringify({ ...record, [field]: 'another' }));
    await endLeftovers(folder, () => undefined);
    expect(alive(pid)).toBe(true);
    folder.close();
  });

  it('is passed over when its note is damaged', async () => {
    const folder = DataFolder.open(path);
    writeFileSync(join(path, 'run', 'store.process'), '{"name":"st');
    await endLeftovers(folder, () => undefined);
    expect(folder.records()).toEqual([]);
    folder.close();
  });
});
