import { EventEmitter } from 'node:events';
import { messageOf } from '../core/errors.js';

/** A listener has thrown; whatever it listened to has happened all the same. */
export interface ListenerFailure {
  readonly event: string;
  readonly error: unknown;
}

/** Tells a listener's failure where nobody listens to `listenerError`. */
const WARNING = 'TrueupListenerWarning';

/**
 * Events whose listeners cannot harm what they listen to: a listener that throws (or whose promise is
 * rejected) neither keeps the others from being told nor turns a committed posting into an error. Its
 * failure is an event of its own, `listenerError`; where nobody listens to that, a warning of the process.
 */
export abstract class Events<
  Told extends Record<keyof Told, unknown[]>,
> extends EventEmitter<Told> {
  /** Tells every listener of an event, one after the other. */
  protected tell<Name extends keyof Told & string>(event: Name, ...details: Told[Name]): void {
    for (const listener of this.rawListeners(event as never)) {
      try {
        const answer: unknown = Reflect.apply(listener, this, details);
        if (answer instanceof Promise) {
          answer.catch((error: unknown) => {
            this.#failed(event, error);
          });
        }
      } catch (error) {
        this.#failed(event, error);
      }
    }
  }

  #failed(event: string, error: unknown): void {
    const listeners = event === 'listenerError' ? [] : this.rawListeners('listenerError' as never);
    if (listeners.length === 0) {
      process.emitWarning(`a listener to '${event}' failed: ${messageOf(error)}`, WARNING);
      return;
    }
    const failure: ListenerFailure = { event, error };
    this.tell('listenerError' as never, ...([failure] as never));
  }
}
