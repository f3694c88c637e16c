#!/bin/bash
# summary: perl: 100,000 words in hashes of lists, sort, regular expressions
# needs: perl
# Models.      Text processing: small strings and lists that grow, all of them malloc's; perl has no allocator between.
# Cannot show. Threads, or memory given back: perl frees its tables when it ends.
. "${BASH_SOURCE[0]%/*}/common.bash"

prepare() {
    cat >words.pl <<'PERL'
use strict;
use integer;
my ($seed, %count) = 42;
for (1 .. 100000) {
    my $word = '';
    for (0 .. ($seed >> 8) % 6) {
        $seed = ($seed * 1103515245 + 12345) & 0x7fffffff;
        $word .= chr(97 + ($seed >> 8) % 26);
    }
    push @{ $count{$word} }, $_;
}
my @top = (sort { @{ $count{$b} } <=> @{ $count{$a} } || $a cmp $b } keys %count)[0 .. 9];
(my $text = join ' ', map { "$_=" . @{ $count{$_} } } sort keys %count) =~ s/(\w+)=(\d+)/$2:$1/g;
print "@top ", length($text), "\n";
PERL
}

run() { exec perl words.pl; }

app "$@"
