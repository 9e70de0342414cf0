import { element } from './dom.js';
import { formatNumber } from './format.js';
import { markdown } from './markdown.js';

const STATES = {
  firing: 'firing',
  quiet: 'quiet',
  'no data': 'no data yet',
  'not evaluated here': 'in the cloud only',
  disabled: 'disabled',
  fault: 'cannot be evaluated',
};

/** An alert with its state; what it means and what to do can be opened. */
export function drawAlert(alert, open) {
  const { id, title, severity, state, conditions, documentation, fault } = alert;
  const details = element('details', { class: `alert ${state} ${severity}`, 'data-alert': id });
  details.open = open;
  details.append(
    element(
      'summary',
      {},
      element('span', { class: 'state' }, stateOf(alert)),
      title,
      element('span', { class: 'severity' }, severity),
    ),
    element('ul', { class: 'conditions' }, ...conditions.map(drawCondition)),
  );
  if (fault !== undefined) details.append(element('p', { class: 'fault' }, fault));
  if (documentation !== '') details.append(markdown(documentation));
  return details;
}

/** Where one of several conditions was looked at, that is said. */
function stateOf({ state, conditions }) {
  const partly =
    state === 'not evaluated here' && conditions.some((each) => each.state === 'quiet');
  return partly ? 'quiet here, more in the cloud' : STATES[state];
}

function drawCondition({ title, state, observed, metrics }) {
  const about = metrics === undefined ? observed.map(describe).join('; ') : metrics.join(', ');
  return element(
    'li',
    {},
    element('b', {}, title),
    ` – ${STATES[state]}`,
    about === '' ? '' : ` (${about})`,
  );
}

function describe({ labels, value, violates }) {
  const name = Object.values(labels).filter(Boolean).join(' · ');
  const shown = value === undefined ? 'nothing' : formatNumber(value);
  return `${name === '' ? '' : `${name}: `}${shown}${violates ? ' ✗' : ''}`;
}
