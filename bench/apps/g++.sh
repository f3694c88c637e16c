#!/bin/bash
# summary: g++ -O1 of one unit of templates: maps of functions, 4 classes
# needs: g++ awk cksum
# Models.      The compiler at its most common work in C++: long headers, templates instantiated by the hundred.
# Cannot show. Parallel builds: one process at a time.
. "${BASH_SOURCE[0]%/*}/common.bash"

prepare() {
    awk 'BEGIN {
        split("algorithm functional iostream map memory string unordered_map vector", headers)
        for (i = 1; i in headers; i++)
            printf "#include <%s>\n", headers[i]
        print "std::map<std::string, std::unordered_map<int, std::function<int(int)>>> all;"
        for (i = 0; i < 4; i++) {
            printf "struct c%d { int id; std::string name; std::vector<std::unique_ptr<c%d>> children; };\n", i, i
            printf "void add%d(std::map<std::string, std::shared_ptr<c%d>> &all, c%d one) {\n", i, i, i
            printf "    for (auto &child : one.children) add%d(all, std::move(*child));\n", i
            printf "    std::sort(one.children.begin(), one.children.end(),\n"
            printf "              [](auto &a, auto &b) { return a->id + %d < b->id; });\n", i
            printf "    all[one.name] = std::make_shared<c%d>(std::move(one));\n}\n", i
        }
        print "int main() {"
        print "    for (int i = 0; i < 9; i++) all[\"n\"][i] = [i](int x) { return x + i; };"
        print "    std::cout << all[\"n\"][3](4) << \"\\n\";\n}"
    }' >unit.cpp
}

run() {
    g++ -O1 -std=c++17 -c unit.cpp -o unit.o
    exec cksum unit.o
}

app "$@"
