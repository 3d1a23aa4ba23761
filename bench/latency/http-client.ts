import { Agent, request } from 'node:http';

import { ANSWER, PROMPT, type Timing } from './prompts.ts';
import { monotonicMs } from '../../src/time/clock.ts';

const TEXT = '"type":"text_delta"';
const END = 'event: message_stop';

/** A client of the server over one kept-alive connection, as the official clients are. */
export class HttpClient {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });
  readonly #url: string;

  constructor(url: string) {
    this.#url = url;
  }

  /** Brings a session's process back ahead of its next prompt. */
  warm(sessionName: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const sent = request(
        `${this.#url}/sessions/${sessionName}/warm`,
        { method: 'POST', agent: this.#agent },
        (response) => {
          response.resume();
          response.once('error', reject);
          response.once('end', () => {
            if (response.statusCode === 200) resolve();
            else reject(new Error(`A session could not be warmed: status ${response.statusCode}.`));
          });
        },
      );
      sent.once('error', reject);
      sent.end();
    });
  }

  /** Prompts a session. The clock starts before the request is made; nothing is parsed while it runs. */
  turn(sessionName: string): Promise<Timing> {
    const body = JSON.stringify({
      model: 'default',
      max_tokens: 1000,
      stream: true,
      messages: [{ role: 'user', content: PROMPT }],
    });
    return new Promise((resolve, reject) => {
      const startedAtMs = monotonicMs();
      let firstTextMs: number | undefined;
      let totalMs: number | undefined;
      let text = '';
      const sent = request(
        `${this.#url}/v1/messages`,
        {
          method: 'POST',
          agent: this.#agent,
          headers: { 'content-type': 'application/json', 'x-session-id': sessionName },
        },
        (response) => {
          response.setEncoding('utf8');
          response.on('data', (chunk: string) => {
            text += chunk;
            if (firstTextMs === undefined && text.includes(TEXT)) {
              firstTextMs = monotonicMs() - startedAtMs;
            }
            if (totalMs === undefined && text.includes(END)) totalMs = monotonicMs() - startedAtMs;
          });
          response.once('error', reject);
          response.once('end', () => {
            if (firstTextMs === undefined || totalMs === undefined || answerIn(text) !== ANSWER) {
              reject(new Error(`Another answer than expected (${response.statusCode}): ${text}`));
            } else resolve({ firstTextMs, totalMs });
          });
        },
      );
      sent.once('error', reject);
      sent.end(body);
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}

function answerIn(stream: string): string {
  return [...stream.matchAll(/"type":"text_delta","text":"([^"]*)"/g)]
    .map((match) => match[1])
    .join('');
}
