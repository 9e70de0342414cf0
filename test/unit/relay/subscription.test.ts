import { HELD_BACK_MAX, Subscription } from '../../../functions/relay/subscription.ts';
import { unsignedEntry } from '../../support/unsigned.ts';

function subscribe() {
  const told: string[] = [];
  const subscription = new Subscription([{}], {
    event: (text) => told.push(text),
    eose: () => told.push('EOSE'),
    closed: (message) => told.push(`CLOSED ${message}`),
  });
  return { subscription, told };
}

describe('Subscription', () => {
  it('sends what is stored, EOSE, then what is live', () => {
    const { subscription, told } = subscribe();
    const stored = unsignedEntry({ content: 'stored' });
    const live = unsignedEntry({ content: 'live' });
    subscription.deliver(live);
    expect(told).toEqual([]);
    subscription.complete([stored]);
    expect(told).toEqual([stored.text, 'EOSE', live.text]);
  });

  it('sends an event once that came by live while the query found it', () => {
    const { subscription, told } = subscribe();
    const event = unsignedEntry();
    subscription.deliver(event);
    subscription.complete([event]);
    expect(told).toEqual([event.text, 'EOSE']);
  });

  it('sends an event once whose live message comes after EOSE', () => {
    const { subscription, told } = subscribe();
    const event = unsignedEntry();
    subscription.complete([event]);
    subscription.deliver(event);
    expect(told).toEqual([event.text, 'EOSE']);
  });

  it('forgets what it sent, except what may still come by', () => {
    const { subscription, told } = subscribe();
    const [passed, coming] = [unsignedEntry({ content: 'a' }), unsignedEntry({ content: 'b' })];
    subscription.complete([passed, coming]);
    expect(subscription.forgetSent((id) => id === coming.id)).toBe(false);
    subscription.deliver(coming);
    expect(told).toHaveLength(3);
    expect(subscription.forgetSent(() => false)).toBe(true);
    subscription.deliver(coming);
    expect(told).toHaveLength(4);
  });

  it('says nothing after it was closed, also in the middle of an answer', () => {
    const told: string[] = [];
    const subscription: Subscription = new Subscription([{}], {
      event: (text) => {
        told.push(text);
        subscription.close();
      },
      eose: () => told.push('EOSE'),
      closed: () => told.push('CLOSED'),
    });
    subscription.complete([unsignedEntry({ content: 'a' }), unsignedEntry({ content: 'b' })]);
    subscription.deliver(unsignedEntry());
    subscription.fail('error: too late');
    expect(told).toHaveLength(1);
  });

  it('overflows when too many live events wait for the query', () => {
    const { subscription } = subscribe();
    const event = unsignedEntry();
    for (let n = 0; n < HELD_BACK_MAX; n += 1) subscription.deliver(event);
    expect(subscription.overflowing).toBe(false);
    subscription.deliver(event);
    expect(subscription.overflowing).toBe(true);
  });
});
