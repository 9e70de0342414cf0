import type { DeadLetterRow, DeadLetterWhole, ReasonCount } from '../database/dead-letters.ts';
import type { Waiting } from './queue.ts';
import { facts, table } from './table.ts';
import { distance, grouped, moment } from './words.ts';

const shownAt = (date: Date): string => `${moment(date.getTime() / 1_000)} UTC`;

/** What dead letters died of, and the newest of them. */
export function letterList(
  {
    total,
    reasons,
    letters,
  }: {
    readonly total: number;
    readonly reasons: readonly ReasonCount[];
    readonly letters: readonly DeadLetterRow[];
  },
  waiting: Waiting | undefined,
  nowMs: number,
): string {
  const parts = [`${grouped(total)} dead letters in the database${waitingWords(waiting)}`];
  if (reasons.length > 0) {
    parts.push(
      table(reasons, [
        { title: 'LETTERS', cell: ({ letters: count }) => grouped(count), align: 'right' },
        { title: 'SHARE', cell: ({ letters: count }) => bar(count, total) },
        { title: 'SQLSTATE', cell: ({ sqlstate }) => sqlstate ?? '–' },
        { title: 'FIRST', cell: ({ first }) => distance(first, nowMs) },
        { title: 'LAST', cell: ({ last }) => distance(last, nowMs) },
        { title: 'REASON', cell: ({ reason }) => reason },
      ]),
    );
  }
  const ofOthers = total - reasons.reduce((sum, { letters: count }) => sum + count, 0);
  if (ofOthers > 0) parts.push(`and ${grouped(ofOthers)} of reasons that are less frequent`);
  if (letters.length > 0) {
    parts.push(
      table(letters, [
        { title: 'LETTER', cell: ({ messageId }) => messageId },
        { title: 'BURIED', cell: ({ buriedAt }) => distance(buriedAt, nowMs) },
        {
          title: 'KIND',
          cell: ({ kind }) => (kind === undefined ? '–' : String(kind)),
          align: 'right',
        },
        { title: 'EVENT', cell: ({ eventId }) => eventId?.slice(0, 16) ?? '–' },
        { title: 'AUTHOR', cell: ({ author }) => author?.slice(0, 16) ?? '–' },
        { title: 'DECIDED', cell: ({ decision }) => decision?.action ?? '–' },
        { title: 'REASON', cell: ({ reason }) => reason },
      ]),
    );
  }
  return parts.join('\n\n');
}

function waitingWords(waiting: Waiting | undefined): string {
  if (waiting === undefined) return '; those that still wait in Pub/Sub were not counted';
  const least = waiting.all ? '' : 'at least ';
  const { forPeople, ofOutage } = waiting;
  return (
    `; in Pub/Sub ${least}${grouped(forPeople)} that upkeep will bring here, ` +
    `${least}${grouped(ofOutage)} left by an outage, which upkeep will publish anew`
  );
}

const BAR_CHARACTERS = 20;

/** A share as a bar, of one character at least. */
const bar = (part: number, whole: number): string =>
  '█'.repeat(Math.max(1, Math.round((part / Math.max(1, whole)) * BAR_CHARACTERS)));

/** One letter with what it holds, line by line. */
export function letterFacts(letter: DeadLetterWhole): string {
  const { messageId, buriedAt, reason, sqlstate, eventId, kind, author, decision } = letter;
  return facts([
    ['letter', messageId],
    ['buried', shownAt(buriedAt)],
    ['reason', reason],
    ['sqlstate', sqlstate ?? '–'],
    ['event', eventId ?? 'none that could be read'],
    ['kind', kind === undefined ? '–' : String(kind)],
    ['author', author ?? '–'],
    [
      'decided',
      decision === undefined
        ? 'not yet'
        : `${decision.action} ${shownAt(decision.at)} by ${decision.by}${decision.why && `: ${decision.why}`}`,
    ],
    ...Object.entries(letter.attributes)
      .filter(([name]) => name !== 'reason' && name !== 'sqlstate')
      .map(([name, value]) => [`  ${name}`, value] as const),
    ['data', letter.data.length === 0 ? 'erased' : letter.data.toString('utf8')],
  ]);
}

/** One letter as JSON shows it. */
export const letterJson = ({ data, ...rest }: DeadLetterWhole): object => ({
  ...rest,
  data: data.toString('utf8'),
});
