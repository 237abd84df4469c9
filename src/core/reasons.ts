/** What the registry says of a reason. */
export interface ReasonRule {
  /** Positive entries with this reason count as lifetime earnings. Default: true. */
  readonly earns?: boolean | undefined;
  /** Which way coins may move for this reason. Default: `both`. */
  readonly allows?: 'credit' | 'debit' | 'both' | undefined;
  /** Who may use it, as `actor` of the request says. Default: anybody. */
  readonly actors?: readonly string[] | undefined;
}

/** The reasons that may be used, by name. */
export type ReasonRegistry = Readonly<Record<string, ReasonRule>>;

/** The reasons of UP-M3 and its platform, and Trueup's own: `opening_balance` and `reversal`. */
export const DEFAULT_REASONS: ReasonRegistry = {
  participation: { allows: 'credit' },
  top4: { allows: 'credit' },
  runner_up: { allows: 'credit' },
  winner: { allows: 'credit' },
  daily_reward: { allows: 'credit' },
  wager_win: { allows: 'credit' },
  top_up: { allows: 'credit' },
  refund: { allows: 'credit' },
  escrow_refund: { allows: 'credit' },
  entry_fee_debit: { allows: 'debit' },
  escrow_lock: { allows: 'debit' },
  withdrawal: { allows: 'debit' },
  purchase: { allows: 'debit' },
  platform_fee: {},
  withdrawal_revenue: {},
  manual_adjust: {},
  correction: {},
  p2p_transfer: {},
  opening_balance: {},
  reversal: {},
};

/** Reasons whose positive entries are no earnings, in a fixed order: it becomes SQL text. */
export function unearnedReasons(registry: ReasonRegistry): string[] {
  return Object.entries(registry)
    .filter(([, rule]) => rule.earns === false)
    .map(([reason]) => reason)
    .sort();
}
