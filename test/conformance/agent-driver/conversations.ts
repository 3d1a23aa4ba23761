import { randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { AgentProcess } from '../../../src/contracts/agent-driver.ts';
import type { DriverStage } from './driver-stage.ts';
import { FailingTranscripts } from './failing-transcripts.ts';
import { run } from './run-turn.ts';
import type { TurnOutputs } from './turn-outputs.ts';
import { kindsOf } from './turn-outputs.ts';

const ONE_PIXEL_PNG =
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';

/** What a conversation is beyond its process. */
export function describeConversations(stage: DriverStage): void {
  describe('a conversation', () => {
    test('goes on in another process, from the store alone', async () => {
      const spec = await stage.specOf();
      await stage.withProcess(spec, async (process) => {
        await run(process, stage.harness.prompts.recall('the first prompt'));
        await run(process, stage.harness.prompts.recall('the second prompt'));
      });
      await stage.harness.discard(spec);
      const next = await stage.specOf({ agentSessionId: spec.agentSessionId, resume: true });
      const turn = await stage.withProcess(next, (process) =>
        run(process, stage.harness.prompts.recall('the third prompt')),
      );
      expect(turn.text).toContain('the first prompt');
      expect(turn.text).toContain('the second prompt');
    });

    test('goes on again after it was resumed', async () => {
      const spec = await stage.specOf();
      await stage.withProcess(spec, (process) =>
        run(process, stage.harness.prompts.recall('in process one')),
      );
      const second = await stage.specOf({ agentSessionId: spec.agentSessionId, resume: true });
      await stage.withProcess(second, (process) =>
        run(process, stage.harness.prompts.recall('in process two')),
      );
      const third = await stage.specOf({ agentSessionId: spec.agentSessionId, resume: true });
      const turn = await stage.withProcess(third, (process) =>
        run(process, stage.harness.prompts.recall('in process three')),
      );
      expect(turn.text).toContain('in process one');
      expect(turn.text).toContain('in process two');
    });

    test('knows nothing of what was loaded ahead of its prompts', async () => {
      const spec = await stage.specOf();
      const { agentSessionId } = spec;
      const entries = async (): Promise<number> =>
        (await stage.harness.transcripts.load({ agentSessionId, subpath: '' })).length;
      await stage.withProcess(spec, async (process) => {
        await process.warmUp?.();
        expect(await entries()).toBe(0);
        await run(process, stage.harness.prompts.recall('the first prompt'));
      });
      const before = await entries();
      const next = await stage.specOf({ agentSessionId, resume: true });
      const turn = await stage.withProcess(next, async (process) => {
        await process.warmUp?.();
        expect(await entries()).toBe(before);
        return run(process, stage.harness.prompts.recall('the second prompt'));
      });
      expect(turn.text).toContain('the first prompt');
    });

    test('counts only its own turn after a resume', async () => {
      const spec = await stage.specOf();
      const first = await stage.withProcess(spec, async (process) => {
        await run(process, stage.harness.prompts.say('one'));
        return run(process, stage.harness.prompts.say('one'));
      });
      const next = await stage.specOf({ agentSessionId: spec.agentSessionId, resume: true });
      const resumed = await stage.withProcess(next, (process) =>
        run(process, stage.harness.prompts.say('one')),
      );
      expect(resumed.end.usage.outputTokens).toBe(first.end.usage.outputTokens);
    });

    test('begins with a history that was brought along', async () => {
      const agentSessionId = randomUUID();
      await stage.harness.driver.seedTranscript(
        agentSessionId,
        [
          { role: 'user', content: 'a seeded question' },
          { role: 'assistant', content: 'a seeded answer' },
          { role: 'user', content: [{ type: 'text', text: 'another seeded question' }] },
          { role: 'assistant', content: [{ type: 'text', text: 'another seeded answer' }] },
        ],
        stage.harness.transcripts,
      );
      const turn = await stage.withProcess(
        await stage.specOf({ agentSessionId, resume: true }),
        (process) => run(process, stage.harness.prompts.recall('a real question')),
      );
      expect(turn.text).toContain('a seeded question');
      expect(turn.text).toContain('another seeded question');
    });

    test('forks before a prompt: the fork knows what was before it, and neither hears of the other', async () => {
      const spec = await stage.specOf();
      const { agentSessionId: from } = spec;
      const ids = [randomUUID(), randomUUID(), randomUUID()];
      const asked = (process: AgentProcess, at: number): Promise<TurnOutputs> =>
        run(
          process,
          stage.harness.prompts.recall(`prompt ${at} of the trunk`),
          undefined,
          undefined,
          ids[at],
        );
      await stage.withProcess(spec, async (process) => {
        await asked(process, 0);
        await run(process, stage.harness.prompts.tool('tool-of-the-trunk'));
        await asked(process, 1);
        await asked(process, 2);
      });
      const to = randomUUID();
      const before = [randomUUID(), ids[1] ?? '', ids[2] ?? ''];
      const fork = { from, to, before };
      await stage.harness.driver.forkTranscript({ ...fork, before: [] }, stage.harness.transcripts);
      await stage.harness.driver.forkTranscript(fork, stage.harness.transcripts);

      const goOn = async (agentSessionId: string, what: string): Promise<string> => {
        const next = await stage.specOf({ agentSessionId, resume: true });
        const { text } = await stage.withProcess(next, (process) =>
          run(process, stage.harness.prompts.recall(what)),
        );
        return text;
      };
      const inFork = await goOn(to, 'a prompt of the fork');
      expect(inFork).toContain('prompt 0 of the trunk');
      expect(inFork).not.toContain('prompt 1 of the trunk');
      expect(inFork).not.toContain('prompt 2 of the trunk');
      const stored = await stage.harness.transcripts.load({ agentSessionId: to, subpath: '' });
      expect(JSON.stringify(stored)).not.toContain('prompt 1 of the trunk');
      expect(JSON.stringify(stored)).not.toContain(from);

      const inTrunk = await goOn(from, 'a prompt of the trunk');
      expect(inTrunk).toContain('prompt 2 of the trunk');
      expect(inTrunk).not.toContain('a prompt of the fork');
      expect(await goOn(to, 'another prompt of the fork')).toContain('a prompt of the fork');
    });

    test('forks while its process runs on, with all that it came to', async () => {
      const spec = await stage.specOf();
      const to = randomUUID();
      await stage.withProcess(spec, async (process) => {
        await run(process, stage.harness.prompts.recall('said before the fork'));
        const fork = { from: spec.agentSessionId, to, before: [] };
        await stage.harness.driver.forkTranscript(fork, stage.harness.transcripts);
        const after = await run(process, stage.harness.prompts.recall('said after the fork'));
        expect(after.text).toContain('said before the fork');
      });
      const next = await stage.specOf({ agentSessionId: to, resume: true });
      const { text } = await stage.withProcess(next, (process) =>
        run(process, stage.harness.prompts.recall('said in the fork')),
      );
      expect(text).toContain('said before the fork');
      expect(text).not.toContain('said after the fork');
    });

    test('that is forked before its first prompt begins anew', async () => {
      const spec = await stage.specOf();
      const promptId = randomUUID();
      await stage.withProcess(spec, (process) =>
        run(
          process,
          stage.harness.prompts.recall('the first of all'),
          undefined,
          undefined,
          promptId,
        ),
      );
      const to = randomUUID();
      const fork = { from: spec.agentSessionId, to, before: [promptId] };
      await stage.harness.driver.forkTranscript(fork, stage.harness.transcripts);
      expect(await stage.harness.transcripts.listSubpaths(to)).toEqual([]);
      const { text } = await stage.withProcess(
        await stage.specOf({ agentSessionId: to }),
        (process) => run(process, stage.harness.prompts.recall('the first of the fork')),
      );
      expect(text).not.toContain('the first of all');
    });

    test('takes tool calls, their results and images in a history', async () => {
      const agentSessionId = randomUUID();
      const image = {
        type: 'image',
        source: { type: 'base64', media_type: 'image/png', data: ONE_PIXEL_PNG },
      };
      await stage.harness.driver.seedTranscript(
        agentSessionId,
        [
          {
            role: 'user',
            content: [{ type: 'text', text: 'what is in this picture?' }, image],
          },
          { role: 'assistant', content: 'I shall look.' },
          {
            role: 'assistant',
            content: [
              { type: 'tool_use', id: 'toolu_seed', name: 'Bash', input: { command: 'ls' } },
            ],
          },
          {
            role: 'user',
            content: [{ type: 'tool_result', tool_use_id: 'toolu_seed', content: 'a.txt' }],
          },
          { role: 'assistant', content: 'One pixel, and one file.' },
        ],
        stage.harness.transcripts,
      );
      const turn = await stage.withProcess(
        await stage.specOf({ agentSessionId, resume: true }),
        (process) => run(process, stage.harness.prompts.recall('go on')),
      );
      expect(turn.end.reason).toBe('completed');
      expect(turn.text).toContain('what is in this picture?');
    });

    test('survives a store that fails for a while', async ({ skip }) => {
      stage.skipIn(skip, 'stale transcript');
      const transcripts = new FailingTranscripts(stage.harness.transcripts);
      const spec = await stage.specOf({ transcripts });
      const process = await stage.start(spec);
      await run(process, stage.harness.prompts.recall('kept by the store'));
      transcripts.fails = true;
      const lost = await run(process, stage.harness.prompts.recall('lost by the store'));
      transcripts.fails = false;
      const exit = await process.close();
      expect(kindsOf(lost.outputs, ['transcript_stale'])).toEqual(['transcript_stale']);
      expect(exit.transcriptStale).toBe(true);

      await stage.harness.driver.rescueTranscript(
        spec.processFolder,
        spec.agentSessionId,
        stage.harness.transcripts,
      );
      await stage.harness.discard(spec);
      const next = await stage.specOf({ agentSessionId: spec.agentSessionId, resume: true });
      const turn = await stage.withProcess(next, (resumed) =>
        run(resumed, stage.harness.prompts.recall('after the rescue')),
      );
      expect(turn.text).toContain('kept by the store');
      expect(turn.text).toContain('lost by the store');
    });
  });
}
