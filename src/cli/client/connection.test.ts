import { describe, expect, it } from 'vitest';

import { checkedKey } from './connection.ts';
import { requestFailure } from './request-failure.ts';
import { withoutSecrets } from '../output/without-secrets.ts';

describe('a key', () => {
  it('is taken as it is, or refused in words that do not show it', () => {
    expect(checkedKey('rh_abc-DEF.1')).toBe('rh_abc-DEF.1');
    expect(checkedKey('')).toBeUndefined();
    expect(checkedKey(undefined)).toBeUndefined();
    for (const key of ['sécret', 'secret\n', 'sec ret', '\u0000secret']) {
      expect(() => checkedKey(key)).toThrow(/printable ASCII/);
      expect(() => checkedKey(key)).not.toThrow(/s.cret|sec ret/);
    }
  });

  it('is in no failure, whoever has put it there', () => {
    const error = new TypeError('Header x-api-key has the invalid value "my-key".');
    expect(requestFailure(error, { url: 'http://x', key: 'my-key' })).toBe(
      'It failed: Header x-api-key has the invalid value "[key]".',
    );
    const made = `rh_${'a-_0'.repeat(10)}abc`;
    expect(withoutSecrets(`unknown option '--kye=${made}'`, undefined)).toBe(
      "unknown option '--kye=[key]'",
    );
  });
});
