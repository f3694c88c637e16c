/* verb.h
 * Purpose.     The verbs of the command: one function and one file each.
 * Design.      A verb gets its own name as argument 0, parses its options and returns the exit status.
 */
#ifndef HAK_CLI_VERB_H
#define HAK_CLI_VERB_H

int verb_run(int count, char **arguments);
int verb_verify(int count, char **arguments);
int verb_doctor(int count, char **arguments);
int verb_explain(int count, char **arguments);
int verb_stat(int count, char **arguments);
int verb_top(int count, char **arguments);
int verb_trim(int count, char **arguments);
int verb_set(int count, char **arguments);
int verb_bench(int count, char **arguments);

#endif
