// Functions of the C library that Rust's standard library refers to and this program has no use
// for. build-pi.sh links them in place of the real ones, which are much larger:
//
// - The unwinder. A panic ends the program at once, so nothing is ever unwound. What is left of it
//   is the backtrace after a panic, and in a stripped binary that would be a list of question
//   marks: here it is an empty list. A panic's own words do not come from here, and stay.
// - Names of threads, which only a debugger shows. The real one brings all of printf along.
//
// It must not stand in for anything that a run of the program could miss.

// The numbers of _Unwind_Reason_Code, the same in the Itanium ABI and in that of ARM.
enum { END_OF_STACK = 5, FAILURE = 9 };

int _Unwind_Backtrace(void *each_frame, void *argument) {
    (void)each_frame, (void)argument;
    return END_OF_STACK;
}

// These are for a frame of a backtrace, or for unwinding through one. There is none.
#define NEVER_CALLED(name) \
    _Noreturn void name(void) { __builtin_trap(); }
NEVER_CALLED(_Unwind_GetIP)
NEVER_CALLED(_Unwind_GetIPInfo)
NEVER_CALLED(_Unwind_GetDataRelBase)
NEVER_CALLED(_Unwind_GetTextRelBase)
NEVER_CALLED(_Unwind_GetLanguageSpecificData)
NEVER_CALLED(_Unwind_GetRegionStart)
NEVER_CALLED(_Unwind_SetGR)
NEVER_CALLED(_Unwind_SetIP)
#if defined(__arm__)
NEVER_CALLED(_Unwind_VRS_Get)
NEVER_CALLED(_Unwind_VRS_Set)
NEVER_CALLED(__gnu_unwind_frame)

// The tables for unwinding of what is compiled from C name these two.
int __aeabi_unwind_cpp_pr0(int state, void *exception, void *context) {
    (void)state, (void)exception, (void)context;
    return FAILURE;
}

int __aeabi_unwind_cpp_pr1(int state, void *exception, void *context) {
    (void)state, (void)exception, (void)context;
    return FAILURE;
}
#endif

int pthread_setname_np(void *thread, const char *name) {
    (void)thread, (void)name;
    return 0;
}
