import { element } from './dom.js';

/**
 * The Markdown that our texts and alerts use: headings, paragraphs, lists, code, bold, emphasis and
 * links to https. Everything else stays text.
 */
export function markdown(source) {
  const box = element('div', { class: 'prose' });
  const lines = source.replace(/\r/g, '').split('\n');
  let at = 0;
  while (at < lines.length) {
    const block = takeBlock(lines, at);
    if (block.node !== undefined) box.append(block.node);
    at = block.next;
  }
  return box;
}

const ITEM = /^\s*(?:[-*]|(\d+)\.)\s+(.*)$/;
const HEADING = /^(#{1,6})\s+(.*)$/;

function takeBlock(lines, at) {
  const line = lines[at];
  if (line.trim() === '') return { next: at + 1 };
  if (line.startsWith('```')) return takeCode(lines, at);
  const heading = HEADING.exec(line);
  if (heading) {
    const level = Math.min(5, heading[1].length + 2);
    return { node: element(`h${level}`, {}, ...inline(heading[2])), next: at + 1 };
  }
  if (ITEM.test(line)) return takeList(lines, at);
  let next = at;
  while (next < lines.length && isPlain(lines[next])) next += 1;
  const text = lines.slice(at, next).join(' ');
  return { node: element('p', {}, ...inline(text)), next };
}

const isPlain = (line) =>
  line.trim() !== '' && !line.startsWith('```') && !HEADING.test(line) && !ITEM.test(line);

function takeCode(lines, at) {
  const end = lines.findIndex((line, index) => index > at && line.startsWith('```'));
  const next = end < 0 ? lines.length : end;
  const code = element('code', {}, lines.slice(at + 1, next).join('\n'));
  return { node: element('pre', {}, code), next: next + 1 };
}

function takeList(lines, at) {
  const list = element(ITEM.exec(lines[at])[1] === undefined ? 'ul' : 'ol');
  let next = at;
  while (next < lines.length) {
    const item = ITEM.exec(lines[next]);
    if (item) list.append(element('li', {}, ...inline(item[2])));
    else if (/^\s+\S/.test(lines[next])) list.lastChild.append(' ', ...inline(lines[next].trim()));
    else break;
    next += 1;
  }
  return { node: list, next };
}

const INLINE = /`([^`]+)`|\*\*([^*]+)\*\*|\*([^*]+)\*|\[([^\]]+)\]\((https:\/\/[^)\s]+)\)/g;

function inline(text) {
  const nodes = [];
  let at = 0;
  for (const match of text.matchAll(INLINE)) {
    nodes.push(text.slice(at, match.index));
    const [whole, code, bold, emphasis, label, url] = match;
    if (code !== undefined) nodes.push(element('code', {}, code));
    else if (bold !== undefined) nodes.push(element('strong', {}, ...inline(bold)));
    else if (emphasis !== undefined) nodes.push(element('em', {}, ...inline(emphasis)));
    else nodes.push(element('a', { href: url, rel: 'noreferrer', target: '_blank' }, label));
    at = match.index + whole.length;
  }
  nodes.push(text.slice(at));
  return nodes;
}
