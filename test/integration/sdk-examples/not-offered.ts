import type Anthropic from '@anthropic-ai/sdk';
import { all, type Examples } from './example.ts';

const WORK =
  'There are no `self_hosted` environments here, so no work for other machines to fetch.';
const THREADS = 'A session has one thread here: its own events.';
const RESOURCES =
  'A session’s resources are given when it is made (`resources`), and shown with it.';

const WORK_ID = 'work_id';
const ENVIRONMENT = 'env_011CZkZ9X2dpNyB7HsEFoRfW';
const SESSION = 'sesn_011CZkZAtmR3yMPDzynEDxu7';
const THREAD = 'sthr_011CZkZVWa6oJjw1rgXZpnBt';
const RESOURCE = 'sesrsc_011CZkZBJq5dWxk9fVLNcPht';

const ofEnvironment = { environment_id: ENVIRONMENT };
const ofSession = { session_id: SESSION };

function noWork(
  refused: (work: Anthropic['beta']['environments']['work']) => PromiseLike<unknown>,
) {
  return {
    reason: WORK,
    refused: async ({ beta }: Anthropic) => refused(beta.environments.work),
  };
}

function noThreads(
  refused: (threads: Anthropic['beta']['sessions']['threads']) => PromiseLike<unknown>,
) {
  return {
    reason: THREADS,
    refused: async ({ beta }: Anthropic) => refused(beta.sessions.threads),
  };
}

function noResources(
  refused: (resources: Anthropic['beta']['sessions']['resources']) => PromiseLike<unknown>,
) {
  return {
    reason: RESOURCES,
    refused: async ({ beta }: Anthropic) => refused(beta.sessions.resources),
  };
}

/** An environment's key, as the helpers of the SDK take it: a key of ours, else they are told 401. */
const polls = { environmentId: ENVIRONMENT, environmentKey: 'key-a' };
const noPoller = noWork((work) => all(work.poller(polls)));
const noWorker = noWork((work) => work.worker({ ...polls, workdir: '/workspace' }).run());

/** The examples of what this host does not have. */
export const NOT_OFFERED: Examples = {
  'beta.environments.work.retrieve': noWork((work) => work.retrieve(WORK_ID, ofEnvironment)),
  'beta.environments.work.update': noWork((work) =>
    work.update(WORK_ID, { ...ofEnvironment, metadata: { foo: 'string' } }),
  ),
  'beta.environments.work.list': noWork((work) => all(work.list(ENVIRONMENT))),
  'beta.environments.work.ack': noWork((work) => work.ack(WORK_ID, ofEnvironment)),
  'beta.environments.work.heartbeat': noWork((work) => work.heartbeat(WORK_ID, ofEnvironment)),
  'beta.environments.work.poll': noWork((work) => work.poll(ENVIRONMENT)),
  'beta.environments.work.stats': noWork((work) => work.stats(ENVIRONMENT)),
  'beta.environments.work.stop': noWork((work) => work.stop(WORK_ID, ofEnvironment)),
  'beta.environments.work.poller': noPoller,
  WorkPoller: noPoller,
  'beta.environments.work.worker': noWorker,
  EnvironmentWorker: noWorker,
  'beta.sessions.threads.retrieve': noThreads((threads) => threads.retrieve(THREAD, ofSession)),
  'beta.sessions.threads.list': noThreads((threads) => all(threads.list(SESSION))),
  'beta.sessions.threads.archive': noThreads((threads) => threads.archive(THREAD, ofSession)),
  'beta.sessions.threads.events.list': noThreads((threads) =>
    all(threads.events.list(THREAD, ofSession)),
  ),
  'beta.sessions.threads.events.stream': noThreads((threads) =>
    threads.events.stream(THREAD, ofSession),
  ),
  'beta.sessions.resources.retrieve': noResources((resources) =>
    resources.retrieve(RESOURCE, ofSession),
  ),
  'beta.sessions.resources.update': noResources((resources) =>
    resources.update(RESOURCE, { ...ofSession, authorization_token: 'ghp_exampletoken' }),
  ),
  'beta.sessions.resources.list': noResources((resources) => all(resources.list(SESSION))),
  'beta.sessions.resources.delete': noResources((resources) =>
    resources.delete(RESOURCE, ofSession),
  ),
  'beta.sessions.resources.add': noResources((resources) =>
    resources.add(SESSION, { file_id: 'file_011CNha8iCJcU1wXNR6q4V8w', type: 'file' }),
  ),
};
