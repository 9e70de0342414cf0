import { join } from 'node:path';
import { sourceFiles, sourceOf } from '../imports.ts';
import type { InfraFile } from './files.ts';
import { gcloudFaults, isKnownFlag } from './gcloud.ts';
import { listAt, textAt } from './json.ts';
import { logFilterFaults } from './logged-messages.ts';

const ROOT = join(import.meta.dirname, '../../..');
const code = sourceFiles(ROOT, 'functions')
  .map((path) => sourceOf(ROOT, path))
  .join('\n');

/** Pages of the console that have no address of their own. */
const CONSOLE = ['Billing → Reports', 'Quotas'];

/** What there is to refer to. */
export interface Referred {
  /** Titles of dashboards, with those of their widgets. */
  readonly dashboards: readonly { readonly title: string; readonly widgets: readonly string[] }[];
  readonly alerts: readonly string[];
}

export function referred(dashboards: readonly InfraFile[], alerts: readonly InfraFile[]): Referred {
  return {
    dashboards: dashboards.map(({ json }) => ({
      title: textAt(json, 'displayName').replace('Distrise ', ''),
      widgets: listAt(json, 'mosaicLayout', 'tiles').map((tile) => textAt(tile, 'widget', 'title')),
    })),
    alerts: alerts.map(({ json }) => textAt(json, 'displayName').replace('Distrise: ', '')),
  };
}

/** The pieces of code in a text. */
export const codeIn = (content: string): string[] =>
  [...content.matchAll(/`([^`]+)`/g)].map(([, piece]) => piece!);

/** What a runbook names that is not there: commands, log lines, variables, widgets, alerts. */
export function runbookFaults(content: string, known: Referred): string[] {
  return [...codeIn(content).flatMap(codeFaults), ...nameFaults(content, known)];
}

function codeFaults(piece: string): string[] {
  if (piece.startsWith('gcloud ')) {
    const [, filter] = /^gcloud logging read '([^']+)'/.exec(piece) ?? [];
    return [...gcloudFaults(piece), ...(filter === undefined ? [] : logFilterFaults(filter))];
  }
  if (piece.startsWith('--')) return isKnownFlag(piece) ? [] : [`unknown flag ${piece}`];
  // A variable of ours, as configurations name it.
  if (!/^[A-Z]+(_[A-Z]+)+$/.test(piece)) return [];
  return new RegExp(`\\b${piece}: `).test(code) ? [] : [`no variable ${piece}`];
}

/** Names stand in single asterisks: of a dashboard, a widget or a section of one, another alert. */
function nameFaults(content: string, { dashboards, alerts }: Referred): string[] {
  const prose = content.replaceAll(/`[^`]+`/g, '');
  const names = [...prose.matchAll(/(?<!\*)\*([^*\n]+)\*(?!\*)/g)].map(([, name]) => name!);
  const isTitle = (name: string) => (title: string) =>
    title === name || title.replace(/ \([^)]*\)$/, '') === name;
  const here = dashboards.filter(({ title }) =>
    names.some((name) => title.startsWith(`${name} –`)),
  );
  const widgets = (here.length > 0 ? here : dashboards).flatMap((each) => each.widgets);
  return names
    .filter(
      (name) =>
        !here.some(({ title }) => title.startsWith(`${name} –`)) &&
        !widgets.some(isTitle(name)) &&
        !alerts.some(isTitle(name)) &&
        !CONSOLE.includes(name),
    )
    .map((name) => `nothing here is called ${name}`);
}
