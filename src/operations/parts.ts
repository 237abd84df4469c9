/** Something that runs in the background from its making until it is stopped. */
export interface Part {
  /** Ends it once what it has under way is in a state that can be left. */
  stop(): Promise<void>;
}

/**
 * The parts of a long-running process. They are begun in order, and stopped in the reverse order: whatever
 * was begun later may rely on what was begun before it.
 */
export class Parts implements Part {
  readonly #running: Part[] = [];
  #stopped: Promise<void> | undefined;

  /** Begins one more part. */
  begin<Begun extends Part>(part: Begun): Begun {
    this.#running.push(part);
    return part;
  }

  /** Stops them, the last one first. One that fails keeps no other from being stopped. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    const errors: unknown[] = [];
    for (const part of this.#running.splice(0).reverse()) {
      try {
        await part.stop();
      } catch (error) {
        errors.push(error);
      }
    }
    if (errors.length > 0) throw new AggregateError(errors, 'some parts did not stop cleanly');
  }
}
