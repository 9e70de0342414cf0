import { databaseFault } from '../../../functions/store/database-fault.ts';

const sqlError = (code: string) => Object.assign(new Error('words say nothing'), { code });

describe('databaseFault', () => {
  it.each(['21000', '22003', '22P05', '23502', '23505', '44000', '54000', 'P0001'])(
    'blames the event for %s',
    (code) => {
      expect(databaseFault(sqlError(code))).toEqual({ blame: 'event', sqlstate: code });
    },
  );

  it.each([
    ['08006', 'connection failure'],
    ['40001', 'serialization failure'],
    ['40P01', 'deadlock'],
    ['53300', 'too many connections'],
    ['53100', 'disk full'],
    ['57014', 'statement timeout'],
    ['57P01', 'administrator shutdown'],
    ['57P03', 'cannot connect now'],
    ['25006', 'read only, as after a failover'],
    ['28000', 'login refused'],
    ['42P01', 'missing table: the schema lags behind'],
    ['42501', 'missing right'],
    ['0A000', 'plan made stale by a migration'],
    ['XX001', 'data corrupted'],
  ])('blames the database for %s (%s)', (code) => {
    expect(databaseFault(sqlError(code))).toEqual({ blame: 'database', sqlstate: code });
  });

  it('blames the database for errors of the connection', () => {
    for (const error of [
      sqlError('ECONNREFUSED'),
      sqlError('EPIPE'),
      new AggregateError([sqlError('ECONNREFUSED')]),
      new Error('Connection terminated unexpectedly'),
      'a text',
      undefined,
    ]) {
      expect(databaseFault(error)).toEqual({ blame: 'database', sqlstate: '' });
    }
  });

  it('only suspects an event where our own code or PostgreSQL itself fell over', () => {
    expect(databaseFault(new TypeError('x is undefined'))).toMatchObject({ blame: 'suspect' });
    expect(databaseFault(new RangeError('invalid length'))).toMatchObject({ blame: 'suspect' });
    // A hole between partitions, which is no event's fault.
    expect(databaseFault(sqlError('23514'))).toEqual({ blame: 'suspect', sqlstate: '23514' });
    const check = Object.assign(sqlError('23514'), { constraint: 'some_check' });
    expect(databaseFault(check)).toEqual({ blame: 'event', sqlstate: '23514' });
    expect(databaseFault(sqlError('XX000'))).toEqual({ blame: 'suspect', sqlstate: 'XX000' });
  });
});
