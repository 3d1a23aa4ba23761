import { z } from 'zod';

import type { Finding } from '../ledger.ts';

/** Arrivals and grants are told in whole milliseconds, by two clocks: what lies closer together has no order. */
const SAME_MOMENT_MS = 5;
/**
 * How many grants more another key of the same weight may have had while one waits: one that comes new begins with the
 * pass of the present, one that was just served may lie a whole stride ahead of it (src/pool/fair-queue.ts).
 */
const STRIDES_AHEAD = 2;

/** A slot that was given to somebody, as the server's log tells it. */
export interface SlotWait {
  readonly sessionId: string;
  readonly tenant: string;
  readonly waitMs: number;
  /** By the wall clock, in milliseconds since the Unix epoch. */
  readonly grantedAtMs: number;
}

const EVENT = '"event":"session_slot_granted"';
const lineSchema = z.object({
  time: z.string(),
  sessionId: z.string(),
  tenant: z.string(),
  waitMs: z.number(),
});

/** What a line of the server's log tells of a slot that was given; undefined for all other lines. */
export function slotWaitOf(line: string): SlotWait | undefined {
  if (!line.includes(EVENT)) return undefined;
  const { time, ...wait } = lineSchema.parse(JSON.parse(line));
  return { ...wait, grantedAtMs: Date.parse(time) };
}

/** How fair the order was, whatever the speed of the machine. */
export interface Fairness {
  /** Most of those who came later that were served before somebody of the same key. */
  readonly overtakenByOwn: number;
  /** Most of those who came later that were served before somebody of another key. */
  readonly overtakenByOthers: number;
  readonly findings: readonly Finding[];
}

/**
 * I7 for all who waited, in the order of their grants: within a key nobody is served before one who came earlier, and
 * while one waits no other key is served more often than its own, but for a stride at the beginning. Keys of equal weight.
 */
export function checkOrder(waits: readonly SlotWait[]): Fairness {
  const findings: Finding[] = [];
  let overtakenByOwn = 0;
  let overtakenByOthers = 0;
  for (const [place, wait] of waits.entries()) {
    const cameMs = wait.grantedAtMs - wait.waitMs;
    const before = waits.slice(0, place);
    const later = before.filter((each) => each.grantedAtMs - each.waitMs > cameMs + SAME_MOMENT_MS);
    const own = later.filter(({ tenant }) => tenant === wait.tenant).length;
    overtakenByOwn = Math.max(overtakenByOwn, own);
    overtakenByOthers = Math.max(overtakenByOthers, later.length - own);
    const who = `${wait.sessionId} of ${wait.tenant}, who waited ${wait.waitMs} ms,`;
    if (own > 0)
      findings.push({ invariant: 'I7', what: `${who} was overtaken by ${own} of the same key` });
    findings.push(...checkShare(wait, before).map((what) => ({ invariant: 'I7', what })));
  }
  return { overtakenByOwn, overtakenByOthers, findings };
}

function checkShare(wait: SlotWait, before: readonly SlotWait[]): string[] {
  const cameMs = wait.grantedAtMs - wait.waitMs;
  const since = (tenant: string, slackMs: number): number =>
    before.filter((each) => each.tenant === tenant && each.grantedAtMs > cameMs + slackMs).length;
  const own = since(wait.tenant, -SAME_MOMENT_MS);
  const others = new Set(before.map(({ tenant }) => tenant));
  others.delete(wait.tenant);
  return [...others].flatMap((tenant) => {
    const served = since(tenant, SAME_MOMENT_MS);
    if (served <= own + STRIDES_AHEAD) return [];
    return `while ${wait.sessionId} of ${wait.tenant} waited ${wait.waitMs} ms, ${tenant} was served ${served} times and its own key ${own} times`;
  });
}
