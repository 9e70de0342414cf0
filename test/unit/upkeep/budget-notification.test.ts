import { parseNotification } from '../../../functions/upkeep/budget-notification.ts';

const NOW = Date.parse('2026-11-25T12:00:00Z');
/** As Cloud Billing writes it. */
const REAL = {
  budgetDisplayName: 'Distrise: my-relay-123',
  alertThresholdExceeded: 0.8,
  costAmount: 85.12,
  costIntervalStart: '2026-11-01T07:00:00Z',
  budgetAmount: 100,
  budgetAmountType: 'SPECIFIED_AMOUNT',
  currencyCode: 'EUR',
};
const parse = (body: unknown, times: { readonly publishedAt?: number } = { publishedAt: NOW }) =>
  parseNotification(
    {
      data: Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)),
      attributes: { billingAccountId: '012345-567890-ABCDEF', budgetId: 'x', schemaVersion: '1.0' },
      messageId: '1',
      publishedAt: times.publishedAt,
      deliveryAttempt: undefined,
    },
    NOW,
  );

describe('a budget notification', () => {
  it('says what was spent of what, since when', () => {
    expect(parse(REAL)).toEqual({
      ok: true,
      value: {
        cost: 85.12,
        amount: 100,
        currency: 'EUR',
        intervalStart: new Date('2026-11-01T07:00:00Z'),
        publishedAt: new Date(NOW),
      },
    });
  });

  it('need not name a threshold: most have passed none', () => {
    const { alertThresholdExceeded: _, ...quiet } = REAL;
    expect(parse(quiet).ok).toBe(true);
    expect(parse({ ...quiet, forecastThresholdExceeded: 1 }).ok).toBe(true);
  });

  it.each([
    ['no JSON', 'spent: 85'],
    ['no object', '85'],
    ['no cost', { ...REAL, costAmount: undefined }],
    ['a cost in words', { ...REAL, costAmount: '85' }],
    ['a cost beyond all numbers', JSON.stringify(REAL).replace('85.12', '1e999')],
    ['no budget', { ...REAL, budgetAmount: undefined }],
    ['a budget of nothing, of which nothing is a share', { ...REAL, budgetAmount: 0 }],
    ['no period', { ...REAL, costIntervalStart: undefined }],
    ['a period without a time zone', { ...REAL, costIntervalStart: '2026-11-01T07:00:00' }],
    [
      'a period to come, after which all others would look old',
      { ...REAL, costIntervalStart: '2027-01-01T00:00:00Z' },
    ],
    ['a currency that is none', { ...REAL, currencyCode: '<b>' }],
  ])('is refused with %s', (_, body) => {
    expect(parse(body)).toMatchObject({ ok: false, reason: expect.any(String) });
  });

  it('is refused without a time at which it was published: order is told by it', () => {
    expect(parse(REAL, {}).ok).toBe(false);
  });
});
