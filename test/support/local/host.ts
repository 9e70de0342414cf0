import type { PartHost } from '../../../functions/local/part.ts';

/** A supervisor's ear for tests: remembers what parts say, in order. */
export class ListeningHost implements PartHost {
  readonly lines: string[] = [];
  readonly notes: string[] = [];
  readonly pids: number[] = [];
  ends = 0;

  line(_name: string, _stream: string, line: string): void {
    this.lines.push(line);
  }
  note(severity: string, message: string): void {
    this.notes.push(`${severity} ${message}`);
  }
  started(_name: string, pid: number): void {
    this.pids.push(pid);
  }
  ended(): void {
    this.ends += 1;
  }
}
