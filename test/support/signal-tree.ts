import { readdirSync, readFileSync } from 'node:fs';

/** A process and all below it, by /proc. */
function treeOf(root: number): number[] {
  const tree = [root];
  for (const entry of readdirSync('/proc')) {
    const pid = Number(entry);
    if (Number.isInteger(pid) && parentOf(pid) === root) tree.push(...treeOf(pid));
  }
  return tree;
}

function parentOf(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
  } catch {
    return undefined;
  }
}

/** Signals a process and all below it: PostgreSQL answers from a process for each connection. */
export function signalTree(root: number, signal: NodeJS.Signals): void {
  for (const pid of treeOf(root)) {
    try {
      process.kill(pid, signal);
    } catch {
      // It has ended since.
    }
  }
}
