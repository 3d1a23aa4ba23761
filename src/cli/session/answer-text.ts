import type { FeedEvent } from './session-feed.ts';

/** A text on its way. */
interface Growing {
  text: string;
  /** Characters of it that were given out. */
  given: number;
}

/**
 * Turns previews and events of answers into text that has not been shown yet: each piece as it comes, each piece once, also
 * where a preview begins anew on another connection, or where there was none.
 */
export class AnswerText {
  readonly #growing = new Map<string, Growing>();
  /** Whether text was given out that no line end has followed. */
  #open = false;

  /** What is to be written for an event: the next piece, with an empty line between two messages. */
  next(event: FeedEvent): string {
    switch (event.type) {
      case 'event_start':
        if (event.event.type === 'agent.message') this.#of(event.event.id).text = '';
        return '';
      case 'event_delta': {
        const growing = this.#growing.get(event.event_id);
        // Without its beginning it has no place; the event brings all of it.
        if (growing === undefined) return '';
        growing.text += event.delta.content.text;
        return this.#rest(growing);
      }
      case 'agent.message': {
        const growing = this.#of(event.id);
        growing.text = event.content.map((block) => ('text' in block ? block.text : '')).join('');
        const rest = this.#rest(growing);
        this.#growing.delete(event.id);
        return `${rest}${this.#end()}`;
      }
      case 'span.model_request_end':
        // What has no event by now gets none.
        this.#growing.clear();
        return this.#end();
      default:
        return '';
    }
  }

  /** What ends the line that is open. */
  #end(): string {
    const end = this.#open ? '\n' : '';
    this.#open = false;
    return end;
  }

  #of(id: string): Growing {
    const found = this.#growing.get(id) ?? { text: '', given: 0 };
    this.#growing.set(id, found);
    return found;
  }

  #rest(growing: Growing): string {
    const rest = growing.text.slice(growing.given);
    growing.given += rest.length;
    if (rest !== '') this.#open = true;
    return rest;
  }
}
