/* The engine's loop, included by a file that has defined the indicators:
 *
 *     struct indicators
 *     start_indicators(indicators, rules, price)    before the first accepted tick's observe
 *     observe(indicators, rules, tick number, price, volume)    every accepted tick, counted from 1
 *     start_day(indicators)                         before the first observe of a day
 *     long_signal(indicators, rules, tick number, price, result)    counts the first signal that is false
 *     report_indicators(indicators, rules, result)
 *
 * Everything is inlined into one function, so the compiler keeps the state in registers where it can. */
#include "account.h"

/* True if price is not a multiple of tick = odd << shift: multiply by the odd part's inverse modulo 2^64, rotate the even
 * part out; only multiples stay small (Granlund and Montgomery 1994). Spares a division per tick. */
struct grid {
    uint64_t inverse, largest;
    int shift;
};

static struct grid make_grid(uint64_t tick)
{
    struct grid g = {.inverse = 1, .largest = UINT64_MAX / tick, .shift = 0};
    uint64_t odd = tick;
    while (!(odd & 1)) {
        odd >>= 1;
        g.shift++;
    }
    for (int i = 0; i < 6; i++) /* Newton: every step doubles the bits that are right */
        g.inverse *= 2 - odd * g.inverse;
    return g;
}

static inline bool off_grid(struct grid g, int64_t price)
{
    const uint64_t x = (uint64_t)price * g.inverse;
    return ((x >> g.shift) | (x << (-g.shift & 63))) > g.largest;
}

struct engine {
    int64_t cash, entries_today;
    bool after_stop;
    struct position position;
    struct trade *trades;
    int64_t capacity;
};

static inline void sell(struct engine *e, const struct rules *r, struct result *out, int64_t time_ns, int64_t price,
                        int64_t quantity, int64_t reason)
{
    struct position *p = &e->position;
    if (out->trades == e->capacity) {
        out->status = TRADES_FULL;
        return;
    }
    const int64_t fill = price - r->slippage, turnover = fill * quantity;
    const int64_t exit_charges = order_charges(r, turnover, true);
    const bool last = quantity == p->quantity;
    const int64_t share = last ? p->entry_charges_left : p->entry_charges * quantity / p->initial_quantity;
    const int64_t gross = (fill - p->entry_price) * quantity, charges = share + exit_charges;

    e->trades[out->trades] = (struct trade){
        .trade_id = out->trades + 1, .position_id = out->positions, .entry_time_ns = p->entry_time_ns,
        .exit_time_ns = time_ns, .entry_price = p->entry_price, .exit_price = fill, .quantity = quantity,
        .gross = gross, .charges = charges, .net = gross - charges, .reason = reason};
    out->trades++;
    out->gross += gross;
    out->charges += charges;
    e->cash += turnover - exit_charges;
    p->entry_charges_left -= share;
    p->quantity -= quantity;
    if (last)
        e->after_stop = reason == STOP_LOSS;
}

static inline void manage_position(struct engine *e, const struct rules *r, struct result *out, int64_t time_ns,
                                   int64_t price)
{
    struct position *p = &e->position;
    if (price > p->high) {
        p->high = price;
        /* high - distance never falls, so it is the trailing stop from the activation on */
        if (price >= p->activation && price - r->trail_distance > p->exit_floor)
            p->exit_floor = price - r->trail_distance;
    }
    if (time_ns < p->flatten_ns && price > p->exit_floor && price < p->tier_price)
        return;
    if (time_ns >= p->flatten_ns) {
        sell(e, r, out, time_ns, price, p->quantity, SESSION_END);
    } else if (price <= p->exit_floor) {
        sell(e, r, out, time_ns, price, p->quantity, price <= p->stop ? STOP_LOSS : TRAILING_STOP);
    } else {
        while (p->quantity && price >= p->tier_price && out->status == DONE) {
            sell(e, r, out, time_ns, price, tier_quantity(r, p), TAKE_PROFIT_1 + p->tier);
            p->tier++;
            p->tier_price = tier_price(r, p->entry_price, p->tier);
        }
    }
}

static inline void buy(struct engine *e, const struct rules *r, struct result *out, const struct day *day, int64_t time_ns,
                       int64_t price)
{
    const int64_t fill = price + r->slippage, budget = e->cash * r->position_ppm / PARTS_PER_MILLION;
    const int64_t lots = budget / (r->lot_size * fill);
    if (lots < 1) {
        out->denied_no_lot++;
        return;
    }
    const int64_t quantity = lots * r->lot_size, turnover = fill * quantity;
    const int64_t charges = order_charges(r, turnover, false);
    if (turnover + charges > e->cash) {
        out->denied_no_cash++;
        return;
    }
    e->cash -= turnover + charges;
    e->entries_today++;
    e->after_stop = false;
    out->positions++;
    e->position = (struct position){
        .quantity = quantity, .initial_quantity = quantity, .initial_lots = lots, .entry_price = fill,
        .entry_time_ns = time_ns, .entry_charges = charges, .entry_charges_left = charges, .high = fill,
        .activation = fill + r->trail_activation, .stop = fill - r->stop_points, .exit_floor = fill - r->stop_points,
        .tier = 0, .tier_price = tier_price(r, fill, 0), .flatten_ns = day->flatten_ns};
}

static inline void mark_equity(struct result *out, int64_t equity)
{
    out->ticks_in_position++;
    if (equity > out->equity_peak)
        out->equity_peak = equity;
    else if (out->equity_peak - equity > out->drawdown_max)
        out->drawdown_max = out->equity_peak - equity;
}

static inline void consider_entry(struct engine *e, const struct indicators *in, const struct rules *r, struct result *out,
                                  const struct day *day, int64_t time_ns, int64_t price)
{
    if (time_ns < day->entry_open_ns || time_ns >= day->entry_close_ns)
        out->gate_session++;
    else if (e->entries_today >= r->max_entries_per_day)
        out->gate_entries++;
    else if (in->green < (e->after_stop ? r->green_ticks_after_stop : r->green_ticks))
        out->gate_green++;
    else if (long_signal(in, r, out->accepted, price, out))
        buy(e, r, out, day, time_ns, price);
}

static inline struct result run(const int64_t *restrict times_ns, const int64_t *restrict prices,
                                const int64_t *restrict volumes, int64_t count, const struct day *days, int64_t day_count,
                                const struct rules rules, struct trade *restrict trades, int64_t capacity)
{
    struct engine e = {.cash = rules.initial_cash, .trades = trades, .capacity = capacity};
    struct result out = {.equity_peak = rules.initial_cash};
    struct indicators in = {.green = 0};
    struct day day = {.end_ns = INT64_MIN};
    const struct day *next_day = days, *const days_end = days + day_count;
    const struct grid grid = make_grid((uint64_t)rules.tick_size);
    int64_t last_time_ns = INT64_MIN;

    for (int64_t i = 0; i < count && out.status == DONE; i++) {
        const int64_t time_ns = times_ns[i], price = prices[i];
        if (price < 1) {
            out.rejected_price++;
            continue;
        }
        if (time_ns < last_time_ns) {
            out.rejected_time++;
            continue;
        }
        last_time_ns = time_ns;
        out.off_grid += off_grid(grid, price);
        if (time_ns >= day.end_ns) {
            while (next_day < days_end && time_ns >= next_day->end_ns)
                next_day++;
            if (next_day == days_end || time_ns < next_day->start_ns) {
                out.status = NO_SUCH_DAY;
                break;
            }
            day = *next_day;
            e.entries_today = 0;
            start_day(&in);
        }
        if (++out.accepted == 1)
            start_indicators(&in, &rules, price);
        observe(&in, &rules, out.accepted, price, volumes[i]);
        if (out.accepted < rules.warmup_ticks) {
            out.gate_warmup++;
            continue;
        }
        if (e.position.quantity) {
            manage_position(&e, &rules, &out, time_ns, price);
            mark_equity(&out, e.cash + e.position.quantity * price);
        } else {
            consider_entry(&e, &in, &rules, &out, &day, time_ns, price);
            if (e.position.quantity)
                mark_equity(&out, e.cash + e.position.quantity * price);
        }
    }
    out.cash = e.cash;
    out.net = out.gross - out.charges;
    out.open_quantity = e.position.quantity;
    out.open_entry_price = e.position.quantity ? e.position.entry_price : 0;
    out.open_entry_time_ns = e.position.quantity ? e.position.entry_time_ns : 0;
    report_indicators(&in, &rules, &out);
    return out;
}
