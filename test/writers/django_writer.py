"""A Django application that writes entries, as the platform of UP-M3 does: it knows nothing of Trueup.

Arguments: own|deltacrown DATABASE ROUNDS SEED WALLET...  The server comes from PGHOST and the like.
It prints "ready", begins with the first line of its input, and ends with one line of JSON: how many
entries it has committed, and of how many coins.
"""

import json
import random
import sys

import django
from django.conf import settings

scheme, database, rounds, seed = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
wallets = [int(wallet) for wallet in sys.argv[5:]]
settings.configure(
    DATABASES={"default": {"ENGINE": "django.db.backends.postgresql", "NAME": database}},
    INSTALLED_APPS=[],
    USE_TZ=True,
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
)
django.setup()

from django.db import OperationalError, connection, models, transaction  # noqa: E402


class Wallet(models.Model):
    """The platform's wallet with all its columns: save() writes every one of them."""

    profile_id = models.BigIntegerField(null=True)
    is_treasury = models.BooleanField(default=False)
    cached_balance = models.IntegerField(default=0)
    pending_balance = models.IntegerField(default=0)
    lifetime_earnings = models.IntegerField(default=0)
    allow_overdraft = models.BooleanField(default=False)
    pin_hash = models.CharField(max_length=255, default="")
    is_deleted = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        app_label = "economy"
        db_table = "economy_deltacrownwallet"
        managed = False


class Transaction(models.Model):
    """The platform's ledger."""

    wallet = models.ForeignKey(Wallet, models.PROTECT)
    amount = models.IntegerField()
    cached_balance_after = models.IntegerField(null=True)
    reason = models.CharField(max_length=32, default="winner")
    tournament_id = models.IntegerField(null=True)
    registration_id = models.IntegerField(null=True)
    match_id = models.IntegerField(null=True)
    note = models.CharField(max_length=255, default="")
    idempotency_key = models.CharField(max_length=64, null=True, unique=True)
    created_by_id = models.BigIntegerField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        app_label = "economy"
        db_table = "economy_deltacrowntransaction"
        managed = False


class Entry(models.Model):
    """Trueup's own ledger; what is left out, its trigger knows."""

    wallet_id = models.BigIntegerField()
    amount = models.BigIntegerField()
    reason = models.TextField(default="winner")

    class Meta:
        app_label = "economy"
        db_table = 'trueup"."entries'
        managed = False


Model = Entry if scheme == "own" else Transaction
chance = random.Random(seed)


def entry(wallet):
    return Model(wallet_id=wallet, amount=chance.choice([5, 7, 11, -2, -3]))


class Changed(Exception):
    """The application has thought better of it."""


def one(written):
    """A single row in its own commit: what save() does."""
    row = entry(chance.choice(wallets))
    row.save()
    written.append(row)


def many(written):
    """Several rows in one statement, some for the same wallet."""
    rows = [entry(wallet) for wallet in sorted(chance.choices(wallets, k=5))]
    Model.objects.bulk_create(rows)
    written.extend(rows)


def nested(written):
    """Two rows around a savepoint that is rolled back."""
    first, lost, last = (entry(wallet) for wallet in sorted(chance.choices(wallets, k=3)))
    with transaction.atomic():
        first.save()
        try:
            with transaction.atomic():
                lost.save()
                raise Changed
        except Changed:
            pass
        last.save()
    written.extend([first, last])


def regretted(written):
    """A whole transaction that is rolled back."""
    try:
        with transaction.atomic():
            entry(chance.choice(wallets)).save()
            Model.objects.bulk_create([entry(chance.choice(wallets))])
            raise Changed
    except Changed:
        pass


def locked(written):
    """The platform's own way: lock the wallet, look, write."""
    wallet = chance.choice(wallets)
    row = entry(wallet)
    with transaction.atomic():
        if scheme == "deltacrown":
            Wallet.objects.select_for_update().get(pk=wallet)
        row.save()
    written.append(row)


def stale(written):
    """
    The platform's fault W6: a wallet that was read before is saved as a whole, and puts back its old
    balance. It is done only where it is asked for: without a guard it makes drift.
    """
    wallet = chance.choice(wallets)
    old = Wallet.objects.get(pk=wallet)
    row = entry(wallet)
    row.save()
    old.pin_hash = "changed"
    old.save()
    written.append(row)


def attempt(way):
    """Tries again after a deadlock, as an application has to; the rows of a failed try are gone."""
    while True:
        written = []
        try:
            way(written)
            return written
        except OperationalError as error:
            if "deadlock" not in str(error):
                raise


connection.ensure_connection()
print("ready", flush=True)
sys.stdin.readline()
ways = [one, many, nested, regretted, locked] if rounds > 0 else [stale]
committed = []
for number in range(abs(rounds)):
    committed.extend(attempt(ways[number % len(ways)]))
print(json.dumps({"entries": len(committed), "coins": sum(row.amount for row in committed)}), flush=True)
