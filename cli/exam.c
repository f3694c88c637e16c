/* exam.c
 * Purpose.     See exam.h.
 */
#include "exam.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void exam_add(struct exam *exam, enum level level, char *text, const char *fix) {
    exam->finding = need_room(exam->finding, exam->count, &exam->room, sizeof *exam->finding);
    exam->finding[exam->count++] = (struct finding){level, exam->check, text, fix};
}

char *exam_read(const struct exam *exam, const char *path) {
    size_t length = 0;
    char *full = need_format("%s%s", exam->root, path);
    char *text = file_text(full, &length);
    int error = errno;
    free(full);
    errno = error;
    return text;
}

char *exam_tell(struct exam *exam, const char *path) {
    char *text = exam_read(exam, path);
    if (text == NULL)
        exam_add(exam, LEVEL_UNTOLD, need_format("%s%s cannot be read: %s", exam->root, path, strerror(errno)),
                 errno == EACCES || errno == EPERM ? "run this command as root (sudo)" : NULL);
    return text;
}

char *exam_tell_process(struct exam *exam, const char *name) {
    char *path = need_format("/proc/%s/%s", exam->process, name);
    char *text = exam_tell(exam, path);
    free(path);
    return text;
}

bool exam_tell_number(struct exam *exam, const char *path, uint64_t *number) {
    char *text = exam_tell(exam, path), *end = text;
    if (text == NULL)
        return false;
    *number = strtoull(text, &end, 10);
    bool told = end != text;
    if (!told)
        exam_add(exam, LEVEL_UNTOLD, need_format("%s%s holds no number", exam->root, path), NULL);
    free(text);
    return told;
}

char *exam_size(uint64_t bytes) {
    static const char *const units[] = {"KiB", "MiB", "GiB", "TiB"};
    double size = (double)bytes / 1024;
    size_t unit = 0;
    for (; size >= 1024 && unit + 1 < sizeof units / sizeof *units; unit++)
        size /= 1024;
    return need_format("%.1f %s", size, units[unit]);
}
