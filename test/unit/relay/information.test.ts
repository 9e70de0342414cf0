import { informationOf } from '../../../functions/relay/information.ts';
import { pageOf } from '../../../functions/relay/page.ts';
import { configurationOf } from '../../support/relay-server.ts';

const SOFTWARE = { version: '1.2.3', homepage: 'https://example.com/distrise' };

describe('the information document', () => {
  it('is what the configuration amounts to', () => {
    const configuration = configurationOf({
      RELAY_NAME: 'Test',
      RELAY_DESCRIPTION: 'Words',
      RELAY_PUBKEY: 'a'.repeat(64),
      RELAY_CONTACT: 'mailto:someone@example.com',
      RELAY_ICON: 'https://example.com/icon.png',
      LIMIT_MAX: '700',
      RELAY_CREATED_AT_PAST_SECONDS: '86400',
    });
    expect(informationOf(configuration, SOFTWARE)).toMatchObject({
      name: 'Test',
      description: 'Words',
      pubkey: 'a'.repeat(64),
      contact: 'mailto:someone@example.com',
      icon: 'https://example.com/icon.png',
      software: 'https://example.com/distrise',
      version: '1.2.3',
      limitation: { max_limit: 700, created_at_lower_limit: 86_400 },
    });
  });

  it('leaves out what is not set, and a limit that does not hold', () => {
    const information = informationOf(configurationOf(), { version: '1.2.3' });
    for (const field of ['pubkey', 'contact', 'icon', 'banner', 'terms_of_service', 'software']) {
      expect(information).not.toHaveProperty(field);
    }
    expect(information.limitation).not.toHaveProperty('created_at_lower_limit');
  });

  it('lists no NIP that is not built', () => {
    expect(informationOf(configurationOf(), SOFTWARE).supported_nips).toEqual([1, 2, 9, 11, 77]);
  });

  it('lists no NIP that is turned off', () => {
    const { supported_nips } = informationOf(
      configurationOf({ RELAY_NEGENTROPY: 'off' }),
      SOFTWARE,
    );
    expect(supported_nips).toEqual([1, 2, 9, 11]);
  });
});

describe('the page for people', () => {
  const page = (variables: Record<string, string> = {}) =>
    pageOf(informationOf(configurationOf(variables), SOFTWARE), 'wss://relay.example.com');

  it('shows name, address and every limit', () => {
    const html = page({ RELAY_NAME: 'Harbour' });
    for (const shown of ['Harbour', 'wss://relay.example.com', '262,400 bytes', '1,000', '64']) {
      expect(html).toContain(shown);
    }
  });

  it('loads nothing from elsewhere and is small', () => {
    const html = page({ RELAY_ICON: 'https://example.com/icon.png' });
    expect(html).not.toMatch(/(src|@import|url\()/);
    expect(html.length).toBeLessThan(6_000);
  });

  it('is well-formed: every element that is opened is closed', () => {
    const open: string[] = [];
    for (const [, slash, name] of page({ RELAY_CONTACT: 'a<b>' }).matchAll(/<(\/?)([a-z0-9]+)/g)) {
      if (name === 'meta' || name === 'link') continue;
      if (slash === '') open.push(name ?? '');
      else expect(open.pop()).toBe(name);
    }
    expect(open).toEqual([]);
  });

  it('escapes all that the operator writes', () => {
    const evil = `"><script>alert('1')</script>`;
    const html = page({
      RELAY_NAME: evil,
      RELAY_DESCRIPTION: evil,
      RELAY_CONTACT: `mailto:${evil}`,
      RELAY_TERMS: 'https://example.com/"onclick="x',
    });
    expect(html).not.toContain('<script');
    expect(html).not.toMatch(/"onclick/);
  });

  it('links to addresses of harmless schemes only', () => {
    expect(page({ RELAY_CONTACT: 'mailto:a@example.com' })).toContain(
      'href="mailto:a@example.com"',
    );
    expect(page({ RELAY_CONTACT: 'javascript:alert(1)' })).not.toContain('href="javascript');
  });
});
