import { describe, expect, it } from 'vitest';

import { resolveUpstream } from './upstream.ts';

describe('resolveUpstream', () => {
  it('is the simulator where there is no credential, and hands nothing on', () => {
    expect(resolveUpstream({ PATH: '/bin', HOME: '/root', ANTHROPIC_API_KEY: '' })).toEqual({
      kind: 'simulator',
      variables: {},
    });
  });

  it('takes each kind by its variables and hands on those only', () => {
    const noise = {
      PATH: '/bin',
      HOME: '/h',
      DATABASE_URL: 'x',
      AWS_SECRET_ACCESS_KEY: 's',
      GOOGLE_CLOUD_PROJECT: 'g',
    };
    expect(resolveUpstream({ ...noise, ANTHROPIC_API_KEY: 'k', HTTPS_PROXY: 'p' })).toEqual({
      kind: 'anthropic-api-key',
      variables: { ANTHROPIC_API_KEY: 'k', HTTPS_PROXY: 'p' },
    });
    expect(resolveUpstream({ ...noise, CLAUDE_CODE_OAUTH_TOKEN: 't' })).toEqual({
      kind: 'oauth',
      variables: { CLAUDE_CODE_OAUTH_TOKEN: 't' },
    });
    expect(
      resolveUpstream({ ...noise, CLAUDE_CODE_USE_VERTEX: '1', CLOUD_ML_REGION: 'r' }),
    ).toEqual({
      kind: 'vertex',
      variables: { CLAUDE_CODE_USE_VERTEX: '1', CLOUD_ML_REGION: 'r', GOOGLE_CLOUD_PROJECT: 'g' },
    });
    expect(
      resolveUpstream({ ...noise, CLAUDE_CODE_USE_BEDROCK: '1', AWS_CONFIG_FILE: '/c' }),
    ).toEqual({
      kind: 'bedrock',
      variables: {
        CLAUDE_CODE_USE_BEDROCK: '1',
        AWS_SECRET_ACCESS_KEY: 's',
        AWS_CONFIG_FILE: '/c',
        AWS_SHARED_CREDENTIALS_FILE: '/h/.aws/credentials',
      },
    });
  });

  it('lets an own endpoint do without a key', () => {
    const url = { ANTHROPIC_BASE_URL: 'http://127.0.0.1:11434' };
    expect(resolveUpstream(url)).toEqual({
      kind: 'custom-endpoint',
      variables: { ...url, ANTHROPIC_API_KEY: 'no-key-needed' },
    });
    expect(resolveUpstream({ ...url, ANTHROPIC_AUTH_TOKEN: 't' }).variables).toEqual({
      ...url,
      ANTHROPIC_AUTH_TOKEN: 't',
    });
  });

  it('does what the mode says: always the simulator, or never', () => {
    expect(resolveUpstream({ ANTHROPIC_API_KEY: 'k' }, 'always').kind).toBe('simulator');
    expect(resolveUpstream({ ANTHROPIC_API_KEY: 'k' }, 'never').kind).toBe('anthropic-api-key');
    expect(() => resolveUpstream({}, 'never')).toThrow('ANTHROPIC_API_KEY');
  });
});
