"""Reconciliation: what the broker's books say against what the engine has. Pure.

A look at the books is torn: orders, fills and positions are each of another moment while orders fill. What others
traded is therefore measured within the books, as `position - fills of our orders`, which does not hang on what the engine
has heard so far, and a change of it counts only

- when two looks in a row have it, and the trade book holds the very executions that explain it: whatever was under way at
  the first look is in the orders of the second one, which begins when the first has ended, with our tag; or
- when every look has had it for the settle wait, which is longer than anything is under way.

What the engine's position lacks or has beyond that (`drift`) counts after the settle wait only, and our orders' prices
when two looks in a row have them otherwise than anything that was asked for.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Final, NamedTuple

from myquant.brokers.port import Books, BrokerFill, OpenOrder, order_of_tag
from myquant.core import codes
from myquant.core.orders import PARTIAL, WORKING
from myquant.session.lost_orders import Lost, is_tag_of_ours

Key = tuple[str, str]  # token and product
ALL: Final = -1
LOST_SALE: Final = "sold by lost orders: "  # and the token, in what was told
LOST_ENTRY: Final = "bought by lost orders: "  # likewise


class OurOrder(NamedTuple):
    """An order of ours that works, or may."""

    order_id: int
    quantity: int
    prices: frozenset[tuple[int, int]]  # limit and trigger: those it has, and those that were asked for
    is_unanswered: bool
    is_changing: bool  # a modification or cancellation is under way
    signed_filled: int = 0  # units that the engine has heard of, below 0: sold


class Ours(NamedTuple):
    """What the engine has of an instrument."""

    token: str
    quantity: int  # held
    last_price: int
    orders: tuple[OurOrder, ...]


class Settings(NamedTuple):
    """What a session holds its books against."""

    session_key: int
    product: str  # of our orders, as the broker spells it in its positions
    settle_ns: int
    min_funds: int  # paise
    lost: Lost = Lost()  # orders of ours


class Known(NamedTuple):
    """A position of one token and product as it was last dealt with."""

    foreign: int  # position less the fills of our orders, both by the books
    others: int  # the part of the position that is not the engine's


class Pending(NamedTuple):
    """A difference that has to be confirmed."""

    what: object
    since_ns: int  # monotonic
    looks: int
    is_told: bool


class Memory(NamedTuple):
    """What earlier looks left. `known` and `fills` outlive the process; the rest begins anew."""

    known: Mapping[Key, Known] | None  # None: there was no look yet
    fills: frozenset[str]  # executions of others that were dealt with
    pending: Mapping[str, Pending]
    told: frozenset[str]  # orders of others, and what lost ones did
    is_low: bool  # of funds


FIRST: Final = Memory(None, frozenset(), {}, frozenset(), is_low=False)


class Kind(StrEnum):
    """What a look can find."""

    FUNDS = "funds"
    LOW_FUNDS = "funds are low"
    FOREIGN_SALE = "somebody else has sold what we hold"
    FOREIGN_TRADE = "somebody else has traded"
    ORPHAN = "an order of ours that no session knows works at the broker"
    LOST_ORDER = "an order of ours that the journal has lost was filled"
    LOST_ENTRY = "what a lost order of ours has bought is taken over"
    STRANGE_ORDER = "an order that is not ours works at the broker"
    ORDER_DIFFERS = "an order of ours is another one at the broker"
    POSITION_DIFFERS = "the broker has another position than we have"


class Finding(NamedTuple):
    """What a look found; `kind` says which of the fields count."""

    kind: Kind
    instrument: int = ALL
    token: str = ""
    order_id: int = 0
    broker_id: str = ""
    quantity: int = 0  # units; of a FOREIGN_TRADE bought less sold, of a POSITION_DIFFERS theirs less ours
    value: int = 0  # paise
    order: OpenOrder | None = None  # of an ORPHAN that is to be cancelled, as the books have it
    is_new: bool = True  # else it was found before, and only what is to be done is to be done again
    words: str = ""


class Outcome(NamedTuple):
    """What came of a look. `unconfirmed`: a next look has to confirm something, and should come soon."""

    findings: tuple[Finding, ...]
    memory: Memory
    unconfirmed: bool


def reconcile(books: Books, ours: Sequence[Ours], memory: Memory, settings: Settings) -> Outcome:
    """Hold a look at the books against the engine, as it stands once it has heard what they say of its orders.

    Arguments: the books; each instrument, in the engine's order; what earlier looks left (`FIRST`: there were none).
    """
    look = _Look(books, ours, memory, settings)
    known = look.first_known() if memory.known is None else memory.known
    found = []
    if memory.known is None:
        look.fills = frozenset(map(fill_key, look.foreign))
        found = look.held_before(known)
    findings = [*look.funds(), *found, *look.positions(dict(known)), *look.orders()]
    after = Memory(look.known, look.fills, look.pending, look.told, is_low=look.is_low)
    return Outcome(tuple(findings), after, any(not each.is_told for each in look.pending.values()))


def short_of(books: Books, ours: Sequence[Ours], memory: Memory, settings: Settings) -> frozenset[int]:
    """Return the instruments of which the books have less than the engine holds, its orders not yet told what they say."""
    look = _Look(books, ours, memory, settings)
    return look.short(look.first_known() if memory.known is None else memory.known)


def fill_key(fill: BrokerFill) -> str:
    """Return what names an execution for good."""
    return f"{fill.broker_id}/{fill.fill_id}"


def sale_value(fills: Iterable[BrokerFill], units: int, last_price: int) -> int:
    """Return what others got for `units`, paise: by the prices of their sales, in proportion where those are of more units.

    Units that no sale explains count at the last price.
    """
    sales = [fill for fill in fills if fill.side == codes.SELL]
    sold, value = sum(fill.quantity for fill in sales), sum(fill.quantity * fill.price for fill in sales)
    return value * units // sold if sold >= units else value + (units - sold) * last_price


class _Look:
    """One look, with what it leaves: `known`, `fills`, `pending`, `told`, `is_low`."""

    def __init__(self, books: Books, ours: Sequence[Ours], memory: Memory, settings: Settings) -> None:
        self.books, self.ours, self.memory, self.settings = books, ours, memory, settings
        self.known: dict[Key, Known] = {}
        self.fills, self.told, self.is_low = memory.fills, memory.told, memory.is_low
        self.pending: dict[str, Pending] = {}
        self.at = {each.token: who for who, each in enumerate(ours)}
        by_tag = {order.broker_id: order_of_tag(order.tag, settings.session_key) for order in books.orders}
        self.by_id = {broker_id: found[0] for broker_id, found in by_tag.items() if found is not None}
        self.foreign = [fill for fill in books.fills if fill.broker_id not in self.by_id]
        self.held: dict[Key, int] = {}
        for position in books.positions:
            key = position.token, position.product
            self.held[key] = self.held.get(key, 0) + position.quantity
        self.filled: dict[Key, int] = {}
        for order in books.orders:
            if order.broker_id in self.by_id:
                key = order.token, settings.product
                self.filled[key] = self.filled.get(key, 0) + order.side * order.filled

    def funds(self) -> list[Finding]:
        """Return what may be spent, and whether it is too little."""
        value = min(self.books.funds.net, self.books.funds.available_cash)
        found = [Finding(Kind.FUNDS, value=value)]
        was_low, self.is_low = self.is_low, value < self.settings.min_funds
        if self.is_low:
            found.append(Finding(Kind.LOW_FUNDS, value=value, is_new=not was_low))
        return found

    def first_known(self) -> dict[Key, Known]:
        """Return all positions of others as they are at the first look: they are none of our business."""
        foreign = {key: self._foreign(key) for key in {*self.held, *self.filled}}
        return {key: Known(units, units) for key, units in foreign.items()}

    def held_before(self, known: Mapping[Key, Known]) -> list[Finding]:
        """Return what the account holds of our contracts at the first look: a person has to know before anything is entered."""
        keys = [(token, self.settings.product) for token in self.at]
        words = "held before this session began, and not managed by it"
        return [
            Finding(Kind.FOREIGN_TRADE, self.at[key[0]], key[0], quantity=known[key].others, words=words)
            for key in keys
            if key in known and known[key].others
        ]

    def short(self, known: Mapping[Key, Known]) -> frozenset[int]:
        """Return the instruments of which less is held, by the books, than the engine has."""
        keys = {who: (token, self.settings.product) for token, who in self.at.items()}
        return frozenset(who for who, key in keys.items() if self._drift(key, known.get(key, Known(0, 0))) < 0)

    def positions(self, known: dict[Key, Known]) -> list[Finding]:
        """Compare positions, token by token."""
        self.known = known
        mine = ((each.token, self.settings.product) for each in self.ours)
        keys = sorted({*self.held, *self.filled, *known, *mine})
        tokens = dict.fromkeys([*(token for token, _ in keys), *(fill.token for fill in self.foreign)])
        found: list[Finding] = []
        for token in tokens:
            found += self._compare(token, [key for key in keys if key[0] == token])
        return found

    def _foreign(self, key: Key) -> int:
        return self.held.get(key, 0) - self.filled.get(key, 0)

    def _drift(self, key: Key, known: Known) -> int:
        """Return by how much a position is larger than others' part and the engine's together."""
        is_ours = key[1] == self.settings.product and key[0] in self.at
        return self.held.get(key, 0) - known.others - (self.ours[self.at[key[0]]].quantity if is_ours else 0)

    def _compare(self, token: str, keys: list[Key]) -> list[Finding]:
        known = {key: self.known.get(key, Known(0, 0)) for key in keys}
        changes = {key: self._foreign(key) - known[key].foreign for key in keys}
        drifts = {key: self._drift(key, known[key]) for key in keys}
        fills = [fill for fill in self.foreign if fill.token == token and fill_key(fill) not in self.fills]
        by_others = any(changes.values()) or bool(fills)
        if not by_others and not any(drifts.values()):
            return []
        what = (tuple(changes.items()), tuple(drifts.items()), frozenset(map(fill_key, fills)))
        pending = self._confirm(f"position {token}", what)
        has_settled = self.books.begun_ns - pending.since_ns >= self.settings.settle_ns
        by_lost = 0 < -min(drifts.values()) <= self._lost_sale(token)[0] or self._lost_entry(token)[1] > 0
        explained = sum(fill.side * fill.quantity for fill in fills) == sum(changes.values())
        if by_others:
            if pending.looks < 2 or not (explained or has_settled):  # two in a row
                return []
            del self.pending[f"position {token}"]
            self.fills |= set(map(fill_key, fills))
            if not any(changes.values()):
                return [Finding(Kind.FOREIGN_TRADE, self.at.get(token, ALL), token, words=_named(fills))]
            return [found for key in keys for found in self._by_others(key, changes[key], drifts[key], fills)]
        if pending.is_told or not (has_settled or (by_lost and pending.looks > 1)):
            return []
        self.pending[f"position {token}"] = pending._replace(is_told=True)
        who = self.at.get(token, ALL)
        return [self._differs(who, token, drift) for drift in drifts.values() if drift]

    def _differs(self, who: int, token: str, drift: int) -> Finding:
        """Return what to make of a difference that nothing in the books explains: what is not there any more has been sold."""
        gone = min(-drift, self.ours[who].quantity) if who != ALL else 0
        if gone <= 0:
            order_id, units, value = self._lost_entry(token)
            if units == 0:
                return Finding(Kind.POSITION_DIFFERS, who, token, quantity=drift)
            self.told |= {LOST_ENTRY + token}
            del self.pending[f"position {token}"]  # dealt with; its lost stop order goes once the engine has the units
            return Finding(Kind.LOST_ENTRY, who, token, order_id, quantity=units, value=value)
        words, value = "not in the books any more: valued at the last price", gone * self.ours[who].last_price
        sold, got = self._lost_sale(token)
        if sold >= gone:
            self.told |= {LOST_SALE + token}
            words, value = "by orders of ours that the journal has lost", got * gone // sold
        return Finding(Kind.FOREIGN_SALE, who, token, quantity=gone, value=value, words=words)

    def _lost_sale(self, token: str) -> tuple[int, int]:
        """Return the units that lost orders have sold, and what for; none once that was dealt with."""
        return (0, 0) if LOST_SALE + token in self.told else self.settings.lost.sold(self.books, token)

    def _lost_entry(self, token: str) -> tuple[int, int, int]:
        """Return what a lost entry has bought, as `Lost.bought`, where it is all that is held and not ours yet; once."""
        key, who = (token, self.settings.product), self.at.get(token, ALL)
        if who == ALL or self.ours[who].quantity or self.ours[who].orders or LOST_ENTRY + token in self.told:
            return 0, 0, 0
        last, units, value = self.settings.lost.bought(self.books, token)
        explains = units == self._drift(key, self.known.get(key, Known(0, 0))) and self.held.get(key, 0) >= units
        return (last, units, value) if explains else (0, 0, 0)

    def _by_others(self, key: Key, change: int, drift: int, fills: list[BrokerFill]) -> list[Finding]:
        """Return what others did to one position, and take it for known.

        What they sold is out of ours only as far as less is left than we hold: their own units go first. A change without
        drift is one that the engine has heard of already, before this process could note so.
        """
        token, product = key
        who = self.at.get(token, ALL) if product == self.settings.product else ALL
        held, last_price = (self.ours[who].quantity, self.ours[who].last_price) if who != ALL else (0, 0)
        sold = max(0, min(-change, -drift, held - max(0, self.held.get(key, 0))))
        others = change + sold if drift else 0
        before = self.known.get(key, Known(0, 0))
        self.known[key] = Known(before.foreign + change, before.others + others)
        found = []
        if sold:
            value = sale_value(fills, sold, last_price)
            found.append(Finding(Kind.FOREIGN_SALE, who, token, quantity=sold, value=value))
        if others:
            found.append(Finding(Kind.FOREIGN_TRADE, who, token, quantity=others, words=_named(fills)))
        return found

    def orders(self) -> list[Finding]:
        """Look at the orders that work at the broker: ours that are not known, those of others, ours that differ."""
        mine = {order.order_id: order for each in self.ours for order in each.orders}
        found: list[Finding] = []
        slices: dict[int, list[OpenOrder]] = {}
        for order in self.books.orders:
            order_id = self.by_id.get(order.broker_id)
            found += self._lost(order, order_id or 0)
            if order_id in mine:
                slices.setdefault(order_id, []).append(order)
            elif order.state in (WORKING, PARTIAL):
                found += self._unknown(order, order_id)
        for order_id, parts in slices.items():
            found += self._differing(mine[order_id], parts)
        return found

    def _lost(self, order: OpenOrder, order_id: int) -> list[Finding]:
        """Return what a lost order has filled, once for each amount."""
        name = f"{order.broker_id}: {order.filled} filled"
        if order_id not in self.settings.lost.ids or not order.filled or name in self.told:
            return []
        self.told |= {name}
        who, units = self.at.get(order.token, ALL), order.side * order.filled
        words = "what it bought is for you to close, if no later line says that it is taken over" if units > 0 else ""
        return [Finding(Kind.LOST_ORDER, who, order.token, order_id, order.broker_id, units, order.value, words=words)]

    def _unknown(self, order: OpenOrder, order_id: int | None) -> list[Finding]:
        who, broker_id = self.at.get(order.token, ALL), order.broker_id
        if order_id is None:  # not of this session: another session's stop order may protect what that one holds
            if broker_id in self.told:
                return []
            self.told |= {broker_id}
            units = order.side * order.quantity
            words = "its tag is one of ours: of another session" if is_tag_of_ours(order.tag.upper()) else ""
            strange = Kind.STRANGE_ORDER
            return [Finding(strange, who, order.token, broker_id=broker_id, quantity=units, words=words)]
        pending = self._confirm(f"orphan {broker_id}", order_id)
        if pending.looks == 1 and order_id not in self.settings.lost.ids:
            return []
        self.pending[f"orphan {broker_id}"] = pending._replace(is_told=True)
        is_new, units = not pending.is_told, order.side * order.quantity
        key = order.token, self.settings.product
        if order.side == codes.SELL and self._drift(key, self.known.get(key, Known(0, 0))) > 0:
            words = "left as it is: it protects units that the session does not know of"
            return [Finding(Kind.ORPHAN, who, order.token, order_id, broker_id, units, is_new=is_new, words=words)]
        return [Finding(Kind.ORPHAN, who, order.token, order_id, broker_id, units, 0, order, is_new)]

    def _differing(self, order: OurOrder, parts: Collection[OpenOrder]) -> list[Finding]:
        at_work = [part for part in parts if part.state in (WORKING, PARTIAL)]
        if order.is_unanswered or order.is_changing or not at_work:
            return []
        other = sorted({(part.limit, part.trigger) for part in at_work if not _fits(part, order.prices)})
        missing = order.quantity - sum(part.quantity for part in parts)
        if not other and not missing:
            return []
        name = f"order {order.order_id}"
        pending = self._confirm(name, (tuple(other), missing))
        has_settled = self.books.begun_ns - pending.since_ns >= self.settings.settle_ns
        is_certain = other or missing < 0 or has_settled  # slices that wait for their turn are missing for a while
        if pending.looks == 1 or pending.is_told or not is_certain:
            return []
        self.pending[name] = pending._replace(is_told=True)
        first = next(iter(parts))
        differs = [*(f"limit {limit} trigger {trigger}" for limit, trigger in other), f"{missing} units missing"]
        who, words = self.at.get(first.token, ALL), ", ".join(differs)
        return [Finding(Kind.ORDER_DIFFERS, who, first.token, order.order_id, first.broker_id, words=words)]

    def _confirm(self, name: str, what: object) -> Pending:
        """Note a difference: the look that first had it, and how many have had it since."""
        before = self.memory.pending.get(name)
        if before is None or before.what != what:
            self.pending[name] = Pending(what, self.books.begun_ns, 1, is_told=False)
        else:
            self.pending[name] = before._replace(looks=before.looks + 1)
        return self.pending[name]


def _fits(part: OpenOrder, prices: Collection[tuple[int, int]]) -> bool:
    """Return whether an order has prices that were asked for; a stop order that works may have lost its trigger."""
    if part.trigger:
        return (part.limit, part.trigger) in prices
    return any(part.limit == limit for limit, _ in prices)


def _named(fills: Iterable[BrokerFill]) -> str:
    return ", ".join(
        f"{'buy' if fill.side == codes.BUY else 'sell'} {fill.quantity} at {fill.price / 100:.2f} (order {fill.broker_id})"
        for fill in fills
    )
