import type { Information } from './information.ts';

/** Styles of the page; it loads nothing from anywhere. */
const STYLE = `
:root { color-scheme: light dark; }
body { font: 1rem/1.6 system-ui, sans-serif; max-width: 42rem; margin: 0 auto; padding: 2rem 1rem;
  color: CanvasText; background: Canvas; overflow-wrap: break-word; }
h1 { line-height: 1.2; margin-bottom: 0; }
h2 { font-size: 1.1rem; margin-top: 2rem; }
code { font-family: ui-monospace, monospace; padding: 0.1rem 0.3rem; border-radius: 0.25rem;
  background: color-mix(in srgb, CanvasText 10%, Canvas); }
.address code { display: block; font-size: 1.2rem; padding: 0.75rem; user-select: all; }
.text { white-space: pre-line; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: 0.3rem 0.5rem; font-weight: normal;
  border-bottom: 1px solid color-mix(in srgb, CanvasText 20%, Canvas); }
td { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
footer { margin-top: 3rem; font-size: 0.9rem; }
`;

/** Forbids the page to load or run anything but its own styles and the operator's picture. */
export const PAGE_SECURITY_POLICY =
  "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; " +
  "frame-ancestors 'none'; img-src data:";

/**
 * The page that a browser gets at the relay's address.
 * @param address where clients connect to, as this visitor reaches it
 */
export function pageOf(information: Information, address: string): string {
  const name = escapeHtml(information.name);
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${name} – Nostr relay</title>
<link rel="icon" href="data:,">
<style>${STYLE}</style>
</head>
<body>
<header>
<h1>${name}</h1>
<p class="text">${escapeHtml(information.description)}</p>
</header>
<main>
<h2>Address</h2>
<p class="address"><code>${escapeHtml(address)}</code></p>
<h2>How to connect</h2>
<p>This is a relay of <a href="https://nostr.com" rel="noreferrer">Nostr</a>, a network of notes
that no single company owns. It is no website to browse: open your Nostr app, go to its relay
settings, and add the address above. Programs read what this relay offers with
<code>curl -H 'Accept: application/nostr+json' ${escapeHtml(address.replace(/^ws/, 'http'))}</code></p>
${operator(information)}<h2>Limits</h2>
<table>
<tbody>
${limitRows(information)}
</tbody>
</table>
</main>
<footer>
<p>${software(information)}, with the protocol parts (NIPs)
${information.supported_nips.map((nip) => String(nip).padStart(2, '0')).join(', ')}</p>
</footer>
</body>
</html>
`;
}

function limitRows({ limitation }: Information): string {
  const rows: [string, number | undefined, string][] = [
    ['Longest message', limitation.max_message_length, 'bytes'],
    ['Longest content of an event', limitation.max_content_length, 'characters'],
    ['Most tags of an event', limitation.max_event_tags, ''],
    ['Oldest event taken', limitation.created_at_lower_limit, 'seconds old'],
    ['How far ahead of the clock an event may be', limitation.created_at_upper_limit, 'seconds'],
    ['Most subscriptions of one connection', limitation.max_subscriptions, ''],
    ['Longest name of a subscription', limitation.max_subid_length, 'characters'],
    ['Most stored events for one filter', limitation.max_limit, ''],
    ['The same, where a filter names no limit', limitation.default_limit, ''],
  ];
  return rows
    .filter(([, value]) => value !== undefined)
    .map(([what, value, unit]) => {
      const shown = `${value?.toLocaleString('en')} ${unit}`.trim();
      return `<tr><th scope="row">${what}</th><td>${shown}</td></tr>`;
    })
    .join('\n');
}

function operator({ pubkey, contact, terms_of_service: terms }: Information): string {
  const lines: string[] = [];
  if (contact !== undefined) lines.push(`<p>Contact: ${link(contact)}</p>`);
  if (pubkey !== undefined) lines.push(`<p>Public key: <code>${escapeHtml(pubkey)}</code></p>`);
  if (terms !== undefined) lines.push(`<p>Terms of service: ${link(terms)}</p>`);
  return lines.length === 0 ? '' : `<h2>Operator</h2>\n${lines.join('\n')}\n`;
}

/** A link where the text is an address of a harmless scheme; else the text alone. */
function link(text: string): string {
  const shown = escapeHtml(text);
  return /^(https?|mailto|nostr):\S+$/.test(text)
    ? `<a href="${shown}" rel="noreferrer">${shown}</a>`
    : shown;
}

function software({ software: address, version }: Information): string {
  const name = `Distrise ${escapeHtml(version)}`;
  return address === undefined
    ? name
    : `<a href="${escapeHtml(address)}" rel="noreferrer">${name}</a>`;
}

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Text made safe inside HTML and its quoted attributes. */
function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ESCAPES[character] ?? '');
}
