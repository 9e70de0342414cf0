import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';

/** What tells one process from every other one, now and after its number was given away again. */
export interface ProcessFacts {
  /** When it started, in a form that is good for comparing only. */
  readonly started: string;
  readonly command: string;
}

/** The facts of a running process; undefined if there is none, or only its unburied remains. */
export function inspectProcess(pid: number): ProcessFacts | undefined {
  if (!Number.isSafeInteger(pid) || pid <= 0) return undefined;
  return process.platform === 'linux' ? inspectLinux(pid) : inspectByPs(pid);
}

function inspectLinux(pid: number): ProcessFacts | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The second field is the name in brackets and may itself hold spaces and brackets.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const [state, ticks] = [fields[0], fields[19]];
    if (ticks === undefined || state === 'Z' || state === 'X') return undefined;
    const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
    // Ticks count from the machine's start, so they need its name.
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    return { started: `${boot}/${ticks}`, command };
  } catch {
    return undefined;
  }
}

function inspectByPs(pid: number): ProcessFacts | undefined {
  const { stdout } = spawnSync('ps', ['-ww', '-o', 'stat=,lstart=,command=', '-p', String(pid)], {
    encoding: 'utf8',
    env: { ...process.env, LC_ALL: 'C' },
  });
  // stat, then five words of date, then the command line.
  const match = /^\s*(\S+)\s+((?:\S+\s+){5})(.*)$/m.exec(stdout ?? '');
  const [, state, started, command] = match ?? [];
  if (state === undefined || started === undefined || state.startsWith('Z')) return undefined;
  return { started: started.trim(), command: command ?? '' };
}

/** True while the very process that started then still runs. */
export function isAlive(pid: number, started: string): boolean {
  return inspectProcess(pid)?.started === started;
}

/** Sends a signal; false if the process is gone. */
export function signalProcess(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, signal);
  } catch {
    return false;
  }
}

/** Waits until the condition holds; false if the time ran out before. */
export async function waitFor(condition: () => boolean, timeoutMs: number): Promise<boolean> {
  const end = performance.now() + timeoutMs;
  while (!condition()) {
    if (performance.now() > end) return false;
    await pause(50);
  }
  return true;
}
