/* symbols.c
 * Purpose.     See symbols.h.
 * Design.      A name is looked for by its hash: large C++ libraries refer to tens of thousands of other names.
 */
#include "symbols.h"

#include <stdbool.h>
#include <string.h>

#define SYMBOL_ROW(symbol, label) {symbol, label},
static const struct { const char *name, *label; } table[SYMBOL_COUNT] = {ALLOCATION_SYMBOLS(SYMBOL_ROW)};

#define SYMBOL_FITS(symbol, label) _Static_assert(sizeof(symbol) < SYMBOL_BYTES, "SYMBOL_BYTES is too small");
ALLOCATION_SYMBOLS(SYMBOL_FITS)

const char *symbol_name(unsigned index) {
    return table[index].name;
}

const char *symbol_label(unsigned index) {
    return table[index].label;
}

uint32_t symbol_hash(const char *name) {
    uint32_t hash = 5381;
    for (const unsigned char *at = (const unsigned char *)name; *at != 0; at++)
        hash = hash * 33 + *at;
    return hash;
}

int symbol_index(const char *name) {
    static uint32_t hashes[SYMBOL_COUNT];
    static bool filled;
    if (!filled)
        for (int i = 0; i < SYMBOL_COUNT; i++)
            hashes[i] = symbol_hash(table[i].name);
    filled = true;
    uint32_t hash = symbol_hash(name);
    for (int i = 0; i < SYMBOL_COUNT; i++)
        if (hashes[i] == hash && strcmp(table[i].name, name) == 0)
            return i;
    return -1;
}
