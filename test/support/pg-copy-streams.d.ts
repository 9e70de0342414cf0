/** The package has no types of its own. */
declare module 'pg-copy-streams' {
  import type { Readable, Writable } from 'node:stream';
  import type { Submittable } from 'pg';

  /** A query that takes the rows of a COPY … FROM STDIN. */
  export function from(text: string): Writable & Submittable;

  /** A query that gives the rows of a COPY … TO STDOUT. */
  export function to(text: string): Readable & Submittable;
}
