import { describe, expect, test } from 'vitest';
import { mcpServerRule } from './mcp-server-rule.ts';

describe('which MCP servers agents may connect to', () => {
  test.each([
    'https://mcp.example.com/mcp',
    'https://mcp.example.com:8443/',
    'https://xn--bcher-kva.example/',
  ])('%s is one on the public internet', (url) => {
    expect(mcpServerRule('https', [])(url)).toBeUndefined();
  });

  test.each([
    'http://mcp.example.com/mcp',
    'https://127.0.0.1/',
    'https://0x7f.1/',
    'https://2130706433/',
    'https://[::1]/',
    'https://[::ffff:10.0.0.1]/',
    'https://8.8.8.8/',
    'https://localhost/',
    'https://localhost./',
    'https://x.localhost/',
    'https://intern/',
    'https://db.internal/',
    'https://db.internal./',
    'https://DB.LOCAL/',
    'https://metadata.google.internal/',
    'ftp://mcp.example.com/',
    'no url',
  ])('%s is not', (url) => {
    expect(mcpServerRule('https', [])(url)).toEqual(expect.any(String));
  });

  test('none but the listed ones where they are switched off, with any port or with the one that is named', () => {
    const problem = mcpServerRule('off', ['MCP.intern', 'localhost:9000']);
    expect(problem('https://mcp.example.com/')).toContain('agent.mcpServers');
    expect(problem('http://mcp.intern:8080/')).toBeUndefined();
    expect(problem('http://localhost:9000/mcp')).toBeUndefined();
    expect(problem('http://localhost:9001/mcp')).toContain('localhost:9001');
    expect(problem('http://not-mcp.intern/')).toContain('not-mcp.intern');
  });

  test('all where the operator says so, if they can be spoken to', () => {
    const problem = mcpServerRule('any', []);
    expect(problem('http://127.0.0.1:1/')).toBeUndefined();
    expect(problem('file:///etc/passwd')).toContain('only http');
  });
});
