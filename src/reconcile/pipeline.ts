/**
 * Does some work for every item that a source gives, so many at a time, and gives the results in the
 * order of the items. A source that waits holds nobody up. New work begins while a result is handled,
 * unless it is told to wait for that.
 */
export class Pipeline<Item, End, Result> {
  readonly #source: AsyncGenerator<Item, End>;
  readonly #atATime: number;
  readonly #work: (item: Item) => Promise<Result>;
  readonly #ahead: () => boolean;
  /** Begun, and not handed out yet. */
  readonly #underWay: Promise<Result>[] = [];
  /** The item that is being asked for; a failure stays here. */
  #asking: Promise<void> | undefined;
  #ended: { readonly end: End } | undefined;
  #stopped = false;

  constructor(
    source: AsyncGenerator<Item, End>,
    atATime: number,
    work: (item: Item) => Promise<Result>,
    ahead: () => boolean = () => true,
  ) {
    this.#source = source;
    this.#ahead = ahead;
    this.#atATime = atATime;
    this.#work = work;
  }

  /**
   * The next result, or what the source has ended with.
   *
   * @throws whatever the source or the work threw; an Error where it was stopped meanwhile
   */
  async next(): Promise<{ readonly result: Result } | { readonly end: End }> {
    for (;;) {
      this.#begin();
      const [head] = this.#underWay;
      if (head !== undefined) {
        const result = await head;
        void this.#underWay.shift();
        if (this.#ahead()) this.#begin(); // Before the result is handled, not afterwards.
        return { result };
      }
      if (this.#ended !== undefined) return this.#ended;
      if (this.#stopped && this.#asking === undefined) throw new Error('the pipeline was stopped');
      await this.#asking;
    }
  }

  /** Begins nothing more, and waits for what is under way; not for a source, which may wait for long. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.allSettled(this.#underWay);
  }

  /** Asks for one more item where there is room for it. */
  #begin(): void {
    const full = this.#underWay.length >= this.#atATime;
    if (full || this.#stopped || this.#asking !== undefined || this.#ended !== undefined) return;
    this.#asking = observed(this.#ask());
  }

  async #ask(): Promise<void> {
    const next = await this.#source.next();
    if (next.done === true) this.#ended = { end: next.value };
    else if (!this.#stopped) this.#underWay.push(observed(this.#work(next.value)));
    this.#asking = undefined;
    this.#begin();
  }
}

/** Whoever waits for it is told of its failure; until then it must not count as unhandled. */
function observed<Value>(promise: Promise<Value>): Promise<Value> {
  promise.catch(() => undefined);
  return promise;
}
