import { describe, expect, it } from 'vitest';

import { banner } from './banner.ts';
import { loadConfig } from '../config/load.ts';

function text(flags: Record<string, string>, kind: 'simulator' | 'oauth', url: string): string {
  const { config } = loadConfig({ flags, env: {}, home: '/h', readFile: () => '' });
  return banner(config, kind, url);
}

describe('the banner', () => {
  it('says where it listens, that nobody but the simulator answers, and three commands to try', () => {
    const shown = text({}, 'simulator', 'http://127.0.0.1:8787');
    expect(shown).toContain('Roundhouse listens on http://127.0.0.1:8787\n');
    expect(shown).toContain(
      '\nNo credentials found: answers come from the embedded simulator, not from a model.\n',
    );
    expect(shown.match(/curl -N http:\/\/127\.0\.0\.1:8787\/v1\/messages/g)).toHaveLength(2);
    expect(shown).toMatch(/^ {2}npm run chat$/m);
  });

  it('fits the commands to another port, to keys and to the models', () => {
    const flags = {
      'server-keys': `[{id: a, hash: "sha256:${'0'.repeat(64)}"}]`,
      'agent-models': 'small',
    };
    const shown = text(flags, 'oauth', 'http://127.0.0.1:9000');
    expect(shown).toContain('-H "x-api-key: $KEY"');
    expect(shown).toContain('"model":"small"');
    expect(shown).toMatch(/^ {2}npm run chat -- --url http:\/\/127\.0\.0\.1:9000 --key "\$KEY"$/m);
    expect(shown).not.toContain('simulator');
  });
});
