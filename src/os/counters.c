/* os/counters.c
 * Purpose.     See counters.h.
 */
#include "os/counters.h"

#if HAK_STATS

HAK_TLS_DEFINE uint64_t *hak_counters;
HAK_TLS_DEFINE uint8_t hak_count_stage;
uint64_t hak_counters_shared[HAK_COUNTER_COUNT];

#endif
