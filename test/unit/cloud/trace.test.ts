import { traceOfEvent, traceOfHeaders } from '../../../functions/cloud/trace.ts';

const ID = '4bf92f3577b34da6a3ce929d0e0e4736';
const SPAN = '00f067aa0ba902b7';

describe('the trace of a request', () => {
  it('is what traceparent says', () => {
    expect(traceOfHeaders({ traceparent: `00-${ID}-${SPAN}-01` })).toEqual({
      id: ID,
      spanId: SPAN,
      sampled: true,
    });
    expect(traceOfHeaders({ traceparent: `00-${ID}-${SPAN}-00` })).toMatchObject({
      sampled: false,
    });
    expect(traceOfHeaders({ traceparent: `01-${ID}-${SPAN}-01-more` })).toMatchObject({ id: ID });
  });

  it('is else what X-Cloud-Trace-Context says, whose span is a decimal number', () => {
    const header = 'x-cloud-trace-context';
    expect(traceOfHeaders({ [header]: `${ID}/67667974448284343;o=1` })).toEqual({
      id: ID,
      spanId: SPAN,
      sampled: true,
    });
    expect(traceOfHeaders({ [header]: ID })).toEqual({ id: ID });
    expect(traceOfHeaders({ [header]: `${ID}/0;o=0` })).toEqual({ id: ID, sampled: false });
    expect(traceOfHeaders({ traceparent: 'broken', [header]: ID })).toEqual({ id: ID });
  });

  it.each([
    {},
    { traceparent: '' },
    { traceparent: `ff-${ID}-${SPAN}-01` },
    { traceparent: `00-${'0'.repeat(32)}-${SPAN}-01` },
    { traceparent: `00-${ID}-${'0'.repeat(16)}-01` },
    { traceparent: `00-${ID}-${SPAN}` },
    { 'x-cloud-trace-context': `${ID}/x` },
    { 'x-cloud-trace-context': `${'0'.repeat(32)}/1;o=1` },
  ])('is unknown for %j', (headers) => {
    expect(traceOfHeaders(headers)).toBeUndefined();
  });

  it('of an event is as long as W3C wants it, and the same everywhere', () => {
    expect(traceOfEvent('ab'.repeat(32))).toBe('ab'.repeat(16));
  });
});
