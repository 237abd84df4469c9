import { TrueupError } from '../core/errors.js';
import { expireOverdueHolds } from '../ledger/expiry.js';
import * as settings from '../ledger/settings.js';
import { openWallet, type OpenWalletRequest } from '../ledger/wallets.js';
import { isOwn } from '../mapping/own.js';
import type { Mapping } from '../mapping/schema.js';
import { Reads, type ReadSource } from './reads.js';

/** What changes need. */
export interface ChangeSource extends ReadSource {
  /** The mapping as a person wrote it. */
  readonly source: Mapping;
}

/**
 * Wallets and what they may do; docs/posting.md tells the rules. All throw `invalid_argument`,
 * `read_only`, `closed`, and what the database reports; those that name a wallet `wallet_not_found`,
 * and `feature_off` (names the column that the mapping lacks).
 */
export abstract class Settings<Told extends Record<keyof Told, unknown[]>> extends Reads<Told> {
  /** Asks the database what only reads, unless this Trueup is closed. */
  protected abstract override ask<Answer>(
    work: (source: ChangeSource) => Promise<Answer>,
  ): Promise<Answer>;

  /** Asks the database for what may write, unless this Trueup is closed or read-only. */
  protected abstract change<Answer>(
    work: (source: ChangeSource) => Promise<Answer>,
  ): Promise<Answer>;

  /**
   * Opens a wallet in Trueup's own tables, or finds the one that the user has in this currency. Without
   * a user it opens another one each time.
   *
   * @returns its id
   * @throws TrueupError `feature_off` on adopted tables: their application opens wallets itself
   */
  openWallet(request: OpenWalletRequest): Promise<string> {
    return this.change(async ({ database, source }) => {
      if (!isOwn(source)) {
        throw new TrueupError('feature_off', 'an adopted application opens its wallets itself');
      }
      return openWallet(database, request);
    });
  }

  /** Sets how far a wallet's balance may move. */
  setWalletLimits(walletId: string, limits: settings.WalletLimits): Promise<void> {
    return this.change(({ database, mapping }) =>
      settings.setWalletLimits(database, mapping, walletId, limits),
    );
  }

  /** Refuses every posting and hold on a wallet from now on. */
  freeze(walletId: string, reason?: string): Promise<void> {
    return this.change(({ database, mapping }) =>
      settings.freezeWallet(database, mapping, walletId, reason),
    );
  }

  /** Ends {@link freeze}. */
  unfreeze(walletId: string): Promise<void> {
    return this.change(({ database, mapping }) =>
      settings.unfreezeWallet(database, mapping, walletId),
    );
  }

  /** Limits what may be spent in a window of time, such as 10,000 coins a day for one reason. */
  setSpendingLimit(limit: settings.SpendingLimitRequest): Promise<settings.SpendingLimit> {
    return this.change(({ database, mapping }) =>
      settings.setSpendingLimit(database, mapping, limit),
    );
  }

  /** Takes a spending limit away, and tells whether there was one. */
  removeSpendingLimit(limitId: string): Promise<boolean> {
    return this.change(({ database, mapping }) =>
      settings.removeSpendingLimit(database, mapping, limitId),
    );
  }

  /** All spending limits. */
  spendingLimits(): Promise<settings.SpendingLimit[]> {
    return this.ask(({ database, mapping }) => settings.listSpendingLimits(database, mapping));
  }

  /**
   * Closes holds whose time is over, and tells in how many wallets. An open Trueup does this by
   * itself in the background, unless it was opened without healer.
   */
  expireHolds(): Promise<number> {
    return this.change(({ database, mapping }) => expireOverdueHolds(database, mapping));
  }
}
