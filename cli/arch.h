/* arch.h
 * Purpose.     What differs between the machines that the command can look at: ELF and relocation numbers, where a
 *              stopped thread shows its system call. One block per architecture, nowhere else.
 * Design.      Both architectures use relocations with addends (RELA) and 64-bit ELF, so only numbers differ.
 */
#ifndef HAK_CLI_ARCH_H
#define HAK_CLI_ARCH_H

#include <elf.h>
#include <linux/audit.h>
#include <sys/syscall.h>
#include <sys/user.h>

#if defined(__x86_64__)
#define ARCH_NAME "x86-64"
#define ARCH_MULTIARCH "x86_64-linux-gnu"
#define ARCH_MACHINE EM_X86_64
#define ARCH_AUDIT AUDIT_ARCH_X86_64
/* System calls that start a process and nothing else, besides clone. */
#define ARCH_FORK_CALLS SYS_fork, SYS_vfork,
#define ARCH_RELOC_CALL R_X86_64_JUMP_SLOT
#define ARCH_RELOC_ADDRESS R_X86_64_GLOB_DAT
#define ARCH_RELOC_WORD R_X86_64_64
#define ARCH_SYSCALL_OF(registers) ((long)(registers)->orig_rax)
/* An instruction that stops a traced thread. */
#define ARCH_BREAKPOINT                                                                                                \
    { 0xcc }
#elif defined(__aarch64__)
#define ARCH_NAME "aarch64"
#define ARCH_MULTIARCH "aarch64-linux-gnu"
#define ARCH_MACHINE EM_AARCH64
#define ARCH_AUDIT AUDIT_ARCH_AARCH64
#define ARCH_FORK_CALLS
#define ARCH_RELOC_CALL R_AARCH64_JUMP_SLOT
#define ARCH_RELOC_ADDRESS R_AARCH64_GLOB_DAT
#define ARCH_RELOC_WORD R_AARCH64_ABS64
#define ARCH_SYSCALL_OF(registers) ((long)(registers)->regs[8])
#define ARCH_BREAKPOINT                                                                                                \
    { 0x00, 0x00, 0x20, 0xd4 }
#else
#error "add the numbers of this architecture"
#endif

#endif
