#!/bin/bash
# perl: hashes, regular expressions, sorting, deep structures, string growth.
# shellcheck source=../support/preload.sh
. "$(dirname "$0")/../support/preload.sh"
require perl

cat >"$work/program.pl" <<'PERL'
use strict; use warnings;
my $seed = 42;
sub rnd { $seed = ($seed * 1103515245 + 12345) & 0x7fffffff; return $seed; }

my %words;
for (1 .. 120000) {
    my $word = join '', map { chr(97 + (rnd() >> 8) % 26) } 1 .. 1 + (rnd() >> 8) % 6;
    $words{$word}++;
}
my @sorted = sort { $words{$b} <=> $words{$a} || $a cmp $b } keys %words;
print scalar(@sorted), " words, most frequent: @sorted[0 .. 9]\n";

my $text = join ' ', map { "$_=$words{$_}" } sort keys %words;
my $count = 0;
while ($text =~ /\b([aeiou]\w*?)=(\d+)\b/g) { $count += length($1) * $2; }
(my $changed = $text) =~ s/(\w+)=(\d+)/$2:$1/g;
print "$count, ", length($changed), ", ", unpack('%32C*', $changed), "\n";

my @tree = map { { id => $_, list => [1 .. $_ % 50], name => "n$_" x ($_ % 7) } } 1 .. 20000;
my $sum = 0;
$sum += $_->{id} * @{ $_->{list} } + length $_->{name} for grep { $_->{id} % 3 } @tree;
print "$sum\n";
@tree = ();

my $buffer = '';
for (1 .. 200000) { $buffer .= chr(32 + $_ % 90); $buffer = substr($buffer, 50000) if length($buffer) > 150000; }
print length($buffer), ' ', unpack('%32C*', $buffer), "\n";

my @stack;
for (1 .. 300000) { push @stack, "x" x ((rnd() >> 8) % 100); shift @stack if @stack > 1000; }
print scalar(@stack), ' ', length(join '', @stack), "\n";
my $pid = fork // die; if (!$pid) { print "child: ", scalar(keys %words), "\n"; exit 3; }
waitpid $pid, 0;
print "child ended with ", $? >> 8, "\n";
PERL

both perl perl "$work/program.pl"
grep -q '^child ended with 3$' "$work/perl.hakmem.out" || fail "the program did not run to its end"

# A program that dies has to die in the same way.
cat >"$work/die.pl" <<'PERL'
my @list = map { "x$_" } 1 .. 1000;
die "as it should\n";
PERL
on_libc die perl "$work/die.pl"
on_hakmem die perl "$work/die.pl"
same die
[ "$(cat "$work/die.hakmem.status")" = 255 ] || fail "die: wrong status"
