/* The records and the money of the default strategy's limit: whole paise throughout.
 *
 * Every field is eight bytes wide, so a NumPy structured dtype with the same order has the same layout. */
#ifndef ACCOUNT_H
#define ACCOUNT_H

#include <stdbool.h>
#include <stdint.h>

#define MAX_TIERS 8
#define PARTS_PER_MILLION 1000000
#define PARTS_PER_BILLION 1000000000

enum exit_reason { SESSION_END = 1, STOP_LOSS, TRAILING_STOP, TAKE_PROFIT_1 };
enum status { DONE = 0, NO_SUCH_DAY = 1, TRADES_FULL = 2, WINDOW_TOO_LONG = 3 };

/* One trading day; times in ns since the epoch, UTC, each bound exclusive. */
struct day {
    int64_t start_ns, end_ns;              /* the calendar day in the session's zone */
    int64_t entry_open_ns, entry_close_ns; /* entries may happen in between */
    int64_t flatten_ns;                    /* from here on a position is closed */
};

struct rules {
    int64_t initial_cash, lot_size, tick_size, slippage;
    int64_t position_ppm; /* the part of cash that one position may cost */
    int64_t warmup_ticks, max_entries_per_day;
    int64_t green_ticks, green_ticks_after_stop;
    int64_t stop_points, trail_activation, trail_distance; /* paise; the activation is at least 1 */
    int64_t tiers, tier_points[MAX_TIERS], tier_ppm[MAX_TIERS];
    int64_t commission_ppb, commission_least, stt_ppb, exchange_ppb, gst_ppb;
    int64_t fast_period, slow_period;
    int64_t macd_fast_period, macd_slow_period, macd_signal_period;
    int64_t rsi_period, htf_period, bollinger_period, stochastic_k_period, stochastic_d_period, atr_period;
    double rsi_oversold, rsi_overbought, bollinger_deviations;
};

/* One row per exit; money in paise, times in ns since the epoch. */
struct trade {
    int64_t trade_id, position_id, entry_time_ns, exit_time_ns, entry_price, exit_price, quantity;
    int64_t gross, charges, net, reason;
};

struct result {
    int64_t status, cash, trades, positions, gross, charges, net;
    int64_t accepted, rejected_price, rejected_time, off_grid, ticks_in_position;
    int64_t gate_warmup, gate_session, gate_entries, gate_green;
    int64_t gate_ema, gate_macd, gate_vwap, gate_rsi, gate_htf, gate_bollinger, gate_stochastic;
    int64_t denied_no_lot, denied_no_cash;
    int64_t equity_peak, drawdown_max;
    int64_t open_quantity, open_entry_price, open_entry_time_ns;
    /* The indicators after the last tick, in rupees or percent. */
    double ema_fast, ema_slow, macd, macd_signal, vwap, rsi, htf, bollinger_middle, bollinger_deviation;
    double stochastic_k, stochastic_d, atr;
};

struct position {
    int64_t quantity, initial_quantity, initial_lots; /* quantity 0: flat */
    int64_t entry_price, entry_time_ns, entry_charges, entry_charges_left;
    int64_t high, activation, stop, exit_floor; /* exit_floor: the higher of stop and trailing stop */
    int64_t tier, tier_price, flatten_ns;
};

static inline int64_t charge(int64_t amount, int64_t rate_ppb)
{
    return (amount * rate_ppb + PARTS_PER_BILLION / 2) / PARTS_PER_BILLION;
}

static inline int64_t order_charges(const struct rules *r, int64_t turnover, bool sell)
{
    const int64_t of_turnover = charge(turnover, r->commission_ppb);
    const int64_t commission = of_turnover > r->commission_least ? of_turnover : r->commission_least;
    const int64_t exchange = charge(turnover, r->exchange_ppb);
    const int64_t stt = sell ? charge(turnover, r->stt_ppb) : 0;
    return commission + exchange + stt + charge(commission + exchange, r->gst_ppb);
}

static inline int64_t tier_price(const struct rules *r, int64_t entry_price, int64_t tier)
{
    return tier < r->tiers ? entry_price + r->tier_points[tier] : INT64_MAX;
}

static inline int64_t tier_quantity(const struct rules *r, const struct position *p)
{
    if (p->tier == r->tiers - 1)
        return p->quantity;
    int64_t lots = p->initial_lots * r->tier_ppm[p->tier] / PARTS_PER_MILLION;
    if (lots < 1)
        lots = 1;
    const int64_t quantity = lots * r->lot_size;
    return quantity < p->quantity ? quantity : p->quantity;
}

#endif
