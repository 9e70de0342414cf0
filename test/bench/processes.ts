import { readdirSync, readFileSync } from 'node:fs';

/** CPU seconds and memory of one part of the system: its process and all below it. */
export interface Usage {
  readonly cpuSeconds: number;
  /** Proportional set size: shared pages are counted in shares. */
  readonly memoryBytes: number;
}

/** Usage by part's name. */
export type UsageByPart = ReadonlyMap<string, Usage>;

/** The kernel's clock tick of /proc, on every platform that Node runs on. */
const TICKS_PER_SECOND = 100;
const READ_ATTEMPTS = 20;

interface Stat {
  readonly parent: number;
  /** Own time and that of children that have ended. */
  readonly ticks: number;
}

function statOf(pid: number): Stat | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    const ticks = [11, 12, 13, 14].reduce((sum, index) => sum + Number(fields[index]), 0);
    return { parent: Number(fields[1]), ticks };
  } catch {
    return undefined;
  }
}

/** A process and all below it, without those that are parts of their own. */
function treeOf(root: number, others: ReadonlySet<number>): number[] {
  const children = new Map<number, number[]>();
  for (const entry of readdirSync('/proc')) {
    const pid = Number(entry);
    if (!Number.isInteger(pid)) continue;
    const parent = statOf(pid)?.parent;
    if (parent !== undefined) children.set(parent, [...(children.get(parent) ?? []), pid]);
  }
  const tree: number[] = [];
  const stack = [root];
  for (let pid = stack.pop(); pid !== undefined; pid = stack.pop()) {
    tree.push(pid);
    stack.push(...(children.get(pid) ?? []).filter((child) => !others.has(child)));
  }
  return tree;
}

/**
 * A child that ends while we read would be lost from both sums, so the tree is read again until
 * it is the same before and after.
 */
function ticksOf(root: number, others: ReadonlySet<number>): { ticks: number; tree: number[] } {
  let tree = treeOf(root, others);
  for (let attempt = 0; ; attempt += 1) {
    const ticks = tree.reduce((sum, pid) => sum + (statOf(pid)?.ticks ?? 0), 0);
    const after = treeOf(root, others);
    if (after.join() === tree.join() || attempt === READ_ATTEMPTS) return { ticks, tree };
    tree = after;
  }
}

function memoryOf(pid: number): number {
  try {
    const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
    return Number(/^Pss:\s+(\d+)/m.exec(text)?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}

/** What each part has used so far; empty where there is no /proc. */
export function measureParts(pids: ReadonlyMap<string, number>): UsageByPart {
  const usage = new Map<string, Usage>();
  if (process.platform !== 'linux') return usage;
  const roots = new Set(pids.values());
  for (const [part, pid] of pids) {
    const { ticks, tree } = ticksOf(pid, roots);
    usage.set(part, {
      cpuSeconds: ticks / TICKS_PER_SECOND,
      memoryBytes: tree.reduce((sum, member) => sum + memoryOf(member), 0),
    });
  }
  return usage;
}

/** CPU seconds between two measures, by part and together. */
export function cpuBetween(
  before: UsageByPart,
  after: UsageByPart,
): { byPart: Map<string, number>; total: number } {
  const byPart = new Map<string, number>();
  let total = 0;
  for (const [part, { cpuSeconds }] of after) {
    const seconds = cpuSeconds - (before.get(part)?.cpuSeconds ?? 0);
    byPart.set(part, seconds);
    total += seconds;
  }
  return { byPart, total };
}

/** The whole machine's busy CPU seconds, to see what others took meanwhile. */
export function machineBusySeconds(): number | undefined {
  if (process.platform !== 'linux') return undefined;
  const line = readFileSync('/proc/stat', 'utf8').split('\n')[0] ?? '';
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0] = line
    .trim()
    .split(/\s+/)
    .slice(1)
    .map(Number);
  return (user + nice + system + irq + softirq) / TICKS_PER_SECOND;
}
