/* base/options.c
 * Purpose.     The values in force, with their defaults. See options.h.
 */
#include "base/options.h"

#define OPTION_DEFAULT(field, name, kind, fallback, min, max, when, text) .field = (fallback),
struct hak_options hak_options = {HAK_OPTIONS(OPTION_DEFAULT)};
