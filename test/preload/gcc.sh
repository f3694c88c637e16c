#!/bin/bash
# gcc and g++: objects and assembly must be identical to those of a compiler on libc; a linked program must run.
# shellcheck source=../support/preload.sh
. "$(dirname "$0")/../support/preload.sh"
require gcc g++

cat >"$work/one.c" <<'C'
#include <math.h>
#include <pthread.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#define ONE(n) \
    static int f##n(int x, double *y) { \
        int s = 0; \
        for (int i = 0; i < x; i++) { y[i % 8] = sqrt(y[i % 8] * i + n); s += (int)y[i % 8] ^ (i << (n % 13)); } \
        switch (x & 7) { case 0: s += n; break; case 1: s ^= n; break; case 2: s *= 3; break; default: s -= n; } \
        return s; \
    }
#define TEN(n) ONE(n##0) ONE(n##1) ONE(n##2) ONE(n##3) ONE(n##4) ONE(n##5) ONE(n##6) ONE(n##7) ONE(n##8) ONE(n##9)
TEN(1) TEN(2) TEN(3) TEN(4)
int main(void) {
    double y[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    printf("%d %d %d\n", f10(100, y), f25(200, y), f49(300, y));
    return 0;
}
C
cat >"$work/two.cpp" <<'CPP'
#include <algorithm>
#include <iostream>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <unordered_map>
#include <vector>
template <int N> struct chain { static long sum(long x) { return chain<N - 1>::sum(x + N) ^ N; } };
template <> struct chain<0> { static long sum(long x) { return x; } };
int main() {
    std::map<std::string, std::vector<std::unique_ptr<std::string>>> all;
    std::unordered_map<int, std::string> names;
    for (int i = 0; i < 1000; i++) {
        std::ostringstream text;
        text << "entry-" << i * 7919 % 1000;
        all[text.str()].push_back(std::make_unique<std::string>(text.str() + "!"));
        names.emplace(i, text.str());
    }
    auto twins = [](auto &name) { return name.second.size() > 7 && name.second[6] == name.second[7]; };
    auto count = std::count_if(names.begin(), names.end(), twins);
    std::cout << all.size() << ' ' << count << ' ' << chain<200>::sum(1) << '\n';
}
CPP

both c gcc -O2 -g -save-temps=cwd -c "$work/one.c" -o one.o
same_files c one.o one.s one.i
both cxx g++ -O2 -g -std=c++17 -c "$work/two.cpp" -o two.o
same_files cxx two.o
both parallel gcc -O1 -flto=2 "$work/one.c" -lm -o one
same_files parallel one
both link g++ -O0 -std=c++17 "$work/two.cpp" -o two
same_files link two
both program "$work/link.libc.dir/two"
grep -qx '1000 99 20045' "$work/program.hakmem.out" || fail "program: printed $(cat "$work/program.hakmem.out")"

# A compiler that finds an error has to say the same.
echo 'int f(void) { return undeclared + 1; }' >"$work/wrong.c"
on_libc wrong gcc -c "$work/wrong.c"
on_hakmem wrong gcc -c "$work/wrong.c"
same wrong
[ "$(cat "$work/wrong.hakmem.status")" = 1 ] || fail "wrong: compiled"
