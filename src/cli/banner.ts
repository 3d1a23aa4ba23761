import type { Config } from '../config/schema.ts';
import type { UpstreamKind } from '../config/upstream.ts';
import { typedCommand } from './context.ts';

const UPSTREAMS: Readonly<Record<UpstreamKind, string>> = {
  'anthropic-api-key': 'Answers come from the Anthropic API, with the API key of the environment.',
  oauth: 'Answers come from the Anthropic API, with the OAuth token of the environment.',
  bedrock: 'Answers come from Amazon Bedrock.',
  vertex: 'Answers come from Google Vertex AI.',
  'custom-endpoint': 'Answers come from the endpoint that ANTHROPIC_BASE_URL names.',
  simulator: '',
};

/** What the server says when it is ready: where it listens, who answers, and three commands to try. */
export function banner(config: Config, kind: UpstreamKind, url: string): string {
  const simulated =
    config.simulator.mode === 'always'
      ? 'The simulator is switched on: answers come from the embedded simulator, not from a model.'
      : 'No credentials found: answers come from the embedded simulator, not from a model.';
  return [
    `Roundhouse listens on ${url}`,
    kind === 'simulator' ? simulated : UPSTREAMS[kind],
    '',
    'Try, in another terminal:',
    '',
    curl(config, url, 'My name is Ada.'),
    '',
    curl(config, url, 'What is my name?'),
    '',
    chat(config, url),
    '',
    'Ctrl-C stops the server; sessions go on after the next start.',
    '',
  ].join('\n');
}

function curl(config: Config, url: string, text: string): string {
  const body = JSON.stringify({
    model: demoModel(config),
    max_tokens: 1024,
    stream: true,
    messages: [{ role: 'user', content: text }],
  });
  const key = config.server.keys.length === 0 ? '' : ` -H "x-api-key: $KEY"`;
  return `  curl -N ${url}/v1/messages -H 'content-type: application/json' -H 'x-session-id: demo'${key} \\\n    -d '${body}'`;
}

function chat(config: Config, url: string): string {
  const flags = [
    ...(url === 'http://127.0.0.1:8787' ? [] : [`--url ${url}`]),
    ...(config.server.keys.length === 0 ? [] : ['--key "$KEY"']),
  ];
  return `  ${typedCommand('chat', ...flags)}`;
}

function demoModel({ agent }: Config): string {
  if (agent.defaultModel !== undefined) return agent.defaultModel;
  return agent.models.includes('sonnet') ? 'sonnet' : (agent.models[0] ?? 'default');
}
