import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rename, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { createClaudeCodeDriver } from '../../src/agent/claude-code/driver.ts';
import { PROJECT_FOLDER, processFolders } from '../../src/agent/claude-code/environment.ts';
import type { AgentProcess, AgentSpec } from '../../src/contracts/agent-driver.ts';
import type { TranscriptEntry } from '../../src/contracts/transcripts.ts';
import type { Host } from '../../src/contracts/host.ts';
import { PROCESS_MARK } from '../../src/contracts/host.ts';
import { newClientId, newSessionId } from '../../src/events/ids.ts';
import { createHost } from '../../src/host/create-host.ts';
import { startSimulator } from '../../src/simulator/simulator.ts';
import { MemoryTranscriptStore } from '../../src/store/memory/memory-transcript-store.ts';
import { McpToolEndpoint } from '../../src/tool-endpoint/mcp-tool-endpoint.ts';
import { NO_TELEMETRY, type LogFields } from '../../src/telemetry/telemetry.ts';
import type { AgentDriverHarness, SituationPrompts } from '../conformance/agent-driver.ts';
import { describeAgentDriver } from '../conformance/agent-driver.ts';

/** What the simulator is asked for, in its own words; docs/simulator.md explains them. */
const prompts: SituationPrompts = {
  say: (text) => `[[say ${text}]]`,
  recall: (text) => text,
  think: () => '[[think about it]] [[say thought]]',
  tool: (output) => `[[tool Bash {"command":"echo ${output}"}]] [[then say done]]`,
  where: () => '[[tool Bash {"command":"pwd"}]] [[then say done]]',
  ask: () => '[[tool Write {"file_path":"written.txt","content":"x"}]] [[then say done]]',
  lookUp: (...keys) =>
    [
      ...keys.map((key) => `[[tool mcp__client__look_up ${JSON.stringify({ key })}]]`),
      '[[then say done]]',
    ].join(' '),
  mark: (...messages) =>
    [
      ...messages.map((names) =>
        names
          .map(
            (name) => `[[tool Bash ${JSON.stringify({ command: `echo ${name} >> marks.txt` })}]]`,
          )
          .join(' '),
      ),
      '[[say done]]',
    ].join(' [[then]] '),
  hang: (where) =>
    where === 'tool'
      ? '[[tool Bash {"command":"sleep 60"}]] [[then say awake]]'
      : `[[stall ${where}]]`,
  fail: (status) => `[[error ${status}]]`,
  // Slowly, so that the first half is on its way before the connection is gone.
  cutOnce: () => '[[cut times 1]] [[slow 10ms]] [[long 20 words]]',
  pieces: (count) => `[[tokens ${count}]]`,
};

const KEY = 'sk-dummy-key-of-the-test';
const closers: (() => Promise<unknown>)[] = [];
/** What the driver of the suite has said aloud. */
const warnings: [string, LogFields | undefined][] = [];
const telemetry = {
  ...NO_TELEMETRY,
  log: {
    ...NO_TELEMETRY.log,
    warn: (event: string, fields?: LogFields) => void warnings.push([event, fields]),
  },
};

async function closeAll(): Promise<void> {
  for (const closeNext of closers.splice(0).toReversed()) await closeNext();
}

async function ground(): Promise<{ host: Host; url: string }> {
  const dataDir = await mkdtemp(join(tmpdir(), 'roundhouse-driver-'));
  closers.push(() => rm(dataDir, { recursive: true, force: true }));
  const simulator = await startSimulator();
  closers.push(() => simulator.close());
  return { host: await createHost({ dataDir, telemetry: NO_TELEMETRY }), url: simulator.url };
}

async function open(): Promise<AgentDriverHarness> {
  const { host, url } = await ground();
  const endpoint = new McpToolEndpoint(NO_TELEMETRY);
  closers.push(() => endpoint.close());
  const common = {
    host,
    credentials: { ANTHROPIC_API_KEY: KEY, ANTHROPIC_BASE_URL: url },
    maxRetries: 1,
    telemetry,
    toolEndpoint: endpoint,
  };
  const transcripts = new MemoryTranscriptStore(() => {});
  return {
    driver: createClaudeCodeDriver(common),
    driverWithoutExecutable: createClaudeCodeDriver({
      ...common,
      executable: '/nonexistent/claude',
    }),
    prompts,
    transcripts,
    otherModel: 'claude-haiku-4-5',
    async spec(parts) {
      const clientId = newClientId();
      const sessionId = newSessionId();
      return {
        ...parts,
        sessionId,
        clientId,
        workspace: await host.createWorkspace(sessionId),
        processFolder: await host.createProcessFolder(clientId),
      };
    },
    async marks({ workspace = '' }) {
      const file = await readFile(join(workspace, 'marks.txt'), 'utf8').catch(() => '');
      return file.split('\n').filter((line) => line !== '');
    },
    discard: (spec) => host.forgetProcess(spec.clientId, spec.processFolder),
    leftovers: countMarked,
    kill(agent, signal) {
      if (agent.pid !== undefined) process.kill(agent.pid, signal);
    },
    skip: {},
  };
}

/** Processes whose environment carries the mark, as the operating system tells it: nothing of ours is asked. */
async function countMarked(clientId: string): Promise<number> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const marked = await Promise.all(
    pids.map(async (pid) => {
      const environment = await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '');
      return environment.split('\0').includes(`${PROCESS_MARK}=${clientId}`);
    }),
  );
  return marked.filter(Boolean).length;
}

describeAgentDriver('claude-code', open, closeAll);

test('no turn of the suite lacked an entry of its transcript: what is repaired was lost', () => {
  expect(warnings.filter(([event]) => event === 'agent_transcript_repaired')).toEqual([]);
});

async function ask(agent: AgentProcess, text: string): Promise<{ text: string; end: string }> {
  let answer = '';
  const content = [{ type: 'text' as const, text }];
  for await (const outputs of agent.prompt({ promptId: randomUUID(), content })) {
    for (const output of outputs) {
      if (output.kind === 'ended')
        return { text: answer, end: output.end.error?.code ?? output.end.reason };
      if (output.kind === 'event' && output.body.type === 'agent.message')
        answer += output.body.content.map((block) => ('text' in block ? block.text : '')).join('');
    }
  }
  throw new Error('The turn has no end.');
}

function transcriptOf({ processFolder, agentSessionId }: AgentSpec): string {
  const { config } = processFolders(processFolder);
  return join(config, 'projects', PROJECT_FOLDER, `${agentSessionId}.jsonl`);
}

/** From now on every write to the file of the transcript fails with ENOSPC. */
async function fillDisk(spec: AgentSpec): Promise<void> {
  const file = transcriptOf(spec);
  await mkdir(dirname(file), { recursive: true });
  if (existsSync(file)) await rename(file, `${file}.kept`);
  await symlink('/dev/full', file);
}

async function freeDisk(spec: AgentSpec): Promise<void> {
  const file = transcriptOf(spec);
  await rm(file);
  await rename(`${file}.kept`, file);
}

function isAnswerTo({ type, message }: TranscriptEntry, prompt: string): boolean {
  return type === 'assistant' && JSON.stringify(message).includes(`You said: \\"${prompt}\\"`);
}

describe('a real Claude Code process', () => {
  let host: Host;
  let url: string;
  beforeAll(async () => {
    ({ host, url } = await ground());
  });
  afterAll(closeAll);

  const driverOn = (its: Host) =>
    createClaudeCodeDriver({
      host: its,
      credentials: { ANTHROPIC_API_KEY: KEY, ANTHROPIC_BASE_URL: url },
      telemetry: NO_TELEMETRY,
    });

  async function newSpec(): Promise<AgentSpec> {
    const clientId = newClientId();
    const sessionId = newSessionId();
    return {
      agentSessionId: randomUUID(),
      sessionId,
      resume: false,
      clientId,
      workspace: await host.createWorkspace(sessionId),
      processFolder: await host.createProcessFolder(clientId),
      options: {},
      transcripts: new MemoryTranscriptStore(() => {}),
      answerer: {
        decide: () => Promise.resolve({ behavior: 'deny', message: 'no' }),
        callTool: () => Promise.resolve({ content: [], isError: true }),
      },
    };
  }

  test('that is being started when the caller gives up is gone afterwards', async () => {
    const controller = new AbortController();
    const registered: number[] = [];
    const watching: Host = Object.create(host, {
      registerProcess: {
        value: (...all: Parameters<Host['registerProcess']>) => {
          registered.push(all[0]);
          // The process is there, and far from ready.
          queueMicrotask(() => controller.abort(new Error('changed my mind')));
          return host.registerProcess(...all);
        },
      },
      killMarked: { value: (clientId: string) => host.killMarked(clientId) },
      memoryBytes: { value: (pid: number) => host.memoryBytes(pid) },
    });
    const spec = await newSpec();
    await expect(driverOn(watching).start(spec, controller.signal)).rejects.toMatchObject({
      code: 'session_connection_failed',
    });
    expect(registered).toHaveLength(1);
    expect(await countMarked(spec.clientId)).toBe(0);
  });

  test('shows no secret on its command line, and has nothing of our environment', async () => {
    const agent = await driverOn(host).start(await newSpec(), new AbortController().signal);
    const proc = `/proc/${agent.pid}`;
    const commandLine = await readFile(join(proc, 'cmdline'), 'utf8');
    const environment = (await readFile(join(proc, 'environ'), 'utf8')).split('\0');
    await agent.close();
    expect(commandLine).not.toContain(KEY);
    expect(environment).toContain(`ANTHROPIC_API_KEY=${KEY}`);
    expect(environment.filter((line) => /^(VITEST|NODE_|npm_|IS_SANDBOX)/.test(line))).toEqual([]);
  });

  test('takes a prompt as it is written: no command, no file that is read unasked', async () => {
    const agent = await driverOn(host).start(await newSpec(), new AbortController().signal);
    const answers: string[] = [];
    for (const text of ['/clear', 'what is in @/etc/hostname', 'and now?']) {
      const content = [{ type: 'text' as const, text }];
      for await (const outputs of agent.prompt({ promptId: randomUUID(), content })) {
        for (const output of outputs) {
          if (output.kind === 'event' && output.body.type === 'agent.message')
            answers.push(JSON.stringify(output.body.content));
        }
      }
    }
    await agent.close();
    expect(answers.at(-1)).toContain('/clear');
    expect(answers.at(-1)).toContain('@/etc/hostname');
  });

  async function run<T>(spec: AgentSpec, use: (agent: AgentProcess) => Promise<T>): Promise<T> {
    const agent = await driverOn(host).start(spec, new AbortController().signal);
    try {
      return await use(agent);
    } finally {
      await agent.close();
    }
  }

  /** Another process that takes the conversation up. */
  async function resumed(spec: AgentSpec): Promise<AgentSpec> {
    const { agentSessionId, transcripts } = spec;
    return { ...(await newSpec()), agentSessionId, transcripts, resume: true };
  }

  test('that is killed at the moment it asks leaves no call open that it has carried out', async () => {
    const spec = { ...(await newSpec()), options: { allowedTools: ['Bash'], askFirst: ['Write'] } };
    const agent = await driverOn(host).start(spec, new AbortController().signal);
    const text =
      '[[tool Bash {"command":"echo once"}]] [[tool Write {"file_path":"a.txt","content":"a"}]] [[tool Bash {"command":"echo behind"}]]';
    const content = [{ type: 'text' as const, text }];
    for await (const outputs of agent.prompt({
      promptId: randomUUID(),
      content,
      answers: 'client',
    })) {
      const asked = outputs.find((output) => output.kind === 'answers_awaited');
      if (asked !== undefined && agent.pid !== undefined) process.kill(agent.pid, 'SIGKILL');
    }
    await agent.exited;
    const left = await driverOn(host).openCalls(spec.agentSessionId, spec.transcripts, []);
    expect(left.map(({ toolName, input }) => [toolName, input['command']])).toEqual([
      ['Write', undefined],
      ['Bash', 'echo behind'],
    ]);
  });

  describe.runIf(existsSync('/dev/full'))('whose disk is full', () => {
    test('to its end forgets nothing: the store has what the agent could not write', async () => {
      const spec = await newSpec();
      await run(spec, async (agent) => {
        // Not in its first turn: there the agent reads its file, and this one has no end.
        await ask(agent, 'before');
        await fillDisk(spec);
        expect((await ask(agent, 'My name is Ada.')).end).toBe('completed');
        const tool = '[[tool Bash {"command":"echo tool-42"}]] [[then say done]]';
        expect((await ask(agent, tool)).end).toBe('completed');
      });
      const answer = await run(await resumed(spec), (agent) => ask(agent, 'Who am I?'));
      expect(answer.text).toContain('I was shown 8 earlier messages');
      expect(answer.text).toContain('"before", "My name is Ada."');
    });

    test('for one turn forgets nothing of before, of then and of after', async () => {
      const spec = await newSpec();
      await run(spec, async (agent) => {
        await ask(agent, 'before');
        await fillDisk(spec);
        await ask(agent, 'while it was full');
        await freeDisk(spec);
        await ask(agent, 'after');
      });
      const answer = await run(await resumed(spec), (agent) => ask(agent, 'and now?'));
      expect(answer.text).toContain('"before", "while it was full", "after"');
    });

    test('with a store that fails too ends its turn as not stored, and the next one works', async () => {
      const spec = await newSpec();
      const { transcripts } = spec;
      let fails = false;
      const failing = Object.assign(Object.create(transcripts), {
        append: (...call: Parameters<typeof transcripts.append>) =>
          fails ? Promise.reject(new Error('disk full')) : transcripts.append(...call),
        load: (...call: Parameters<typeof transcripts.load>) => transcripts.load(...call),
      });
      await run({ ...spec, transcripts: failing }, async (agent) => {
        await ask(agent, 'before');
        await fillDisk(spec);
        fails = true;
        expect((await ask(agent, 'lost')).end).toBe('storage_failed');
        fails = false;
        expect((await ask(agent, 'next')).end).toBe('completed');
      });
      const answer = await run(await resumed(spec), (agent) => ask(agent, 'and now?'));
      expect(answer.text).toContain('"before", "next"');
    });
  });

  test('takes up a conversation of which one entry is lost, with all that was before it', async () => {
    const spec = await newSpec();
    await run(spec, async (agent) => {
      for (const text of ['first', 'second', 'third']) await ask(agent, text);
    });
    const key = { agentSessionId: spec.agentSessionId, subpath: '' };
    const entries = await spec.transcripts.load(key);
    const kept = entries.filter((entry) => !isAnswerTo(entry, 'second'));
    expect(kept).toHaveLength(entries.length - 1);
    await spec.transcripts.replace(key, kept);
    const answer = await run(await resumed(spec), (agent) => ask(agent, 'and now?'));
    expect(answer.text).toContain('"first", "second", "third"');
  });
});
