/* Functions that OpenCL C lacks or defines otherwise than Python and NumPy.
 *
 * OpenCL C 1.2. Every function is overloaded by type: T below stands for each type of its family,
 * and, with -DWIDTH=2, 4 or 8, also for the vectors of that width. Booleans are uchar (0 or 1).
 *
 *   floordiv(a, b) floormod(a, b)    Python's // and %; an integer by 0 gives 0, as in NumPy
 *   sgn(x)                           NumPy's sign: 0 for -0.0, nan for nan, unsigned too
 *   max_nan(a, b) min_nan(a, b)      nan wins, as in NumPy's maximum; C's fmax prefers the number
 *   sigmoid(x) softplus(x)           floats; no overflow on either side
 *   half_even(x)                     NumPy's round, which is not C's
 *   int_pow(a, n)                    integers, by squaring; wraps around as NumPy does
 *   power(a, b)                      pow for floats, int_pow for integers
 *   shift_left(a, n) shift_right(a, n)  integers; all bits leave if n is too large, as in NumPy
 *   where(c, a, b)                   c is uchar
 *   truth(x)                         x != 0 as uchar; nan is true
 *   lt le gt ge eq ne (a, b)         as uchar
 *   VLOAD(T, p) VSTORE(T, v, p)      WIDTH neighbours at once; p is as aligned as one of them
 *   VLOAD_HALF(p) VSTORE_HALF(v, p)  the same of half, which is stored and computed with as float
 *   to_half(x)                       x rounded to half, as float
 *   LANES(F, v)                      F folded over the WIDTH lanes of v: one number
 *
 * double is there if the compiler has it: HAVE_FP64 says so.
 */
#ifndef PRELUDE
#define PRELUDE

#ifndef WIDTH
#define WIDTH 1
#endif

#if defined(cl_khr_fp64)
#pragma OPENCL EXTENSION cl_khr_fp64 : enable
#define HAVE_FP64 1
#elif defined(cl_amd_fp64)
#pragma OPENCL EXTENSION cl_amd_fp64 : enable
#define HAVE_FP64 1
#elif defined(__OPENCL_C_VERSION__) && __OPENCL_C_VERSION__ >= 120 && defined(__opencl_c_fp64)
#define HAVE_FP64 1
#endif

/* Compilers of OpenCL are Clang inside, and have this: their own built-ins are made with it. */
#define FN __attribute__((overloadable)) static inline

#define GLUE_(a, b) a##b
#define GLUE(a, b) GLUE_(a, b)
#define TO(T) GLUE(convert_, T)
#define AS(T) GLUE(as_, T)

#if WIDTH == 1
#define VEC(T) T
#define VLOAD(T, p) (*(p))
#define VSTORE(T, v, p) (*(p) = (v))
#define LANES(F, v) (v)
#define VLOAD_HALF(p) vload_half(0, p)
#define VSTORE_HALF(v, p) vstore_half(v, 0, p)
#else
#define VLOAD_HALF(p) GLUE(vload_half, WIDTH)(0, p)
#define VSTORE_HALF(v, p) GLUE(vstore_half, WIDTH)(v, 0, p)
#define VEC(T) GLUE(T, WIDTH)
/* vloadn and vstoren say the same, but PoCL compiles them to calls of functions, across which no
 * accumulator stays in a register. */
#define UNALIGNED(T) typedef VEC(T) GLUE(T, _loose) __attribute__((aligned(sizeof(T))))
UNALIGNED(char);
UNALIGNED(uchar);
UNALIGNED(short);
UNALIGNED(ushort);
UNALIGNED(int);
UNALIGNED(uint);
UNALIGNED(long);
UNALIGNED(ulong);
UNALIGNED(float);
#ifdef HAVE_FP64
UNALIGNED(double);
#endif
#define VLOAD(T, p) (*(global const GLUE(T, _loose) *)(p))
#define VSTORE(T, v, p) (*(global GLUE(T, _loose) *)(p) = (v))
#endif
#if WIDTH == 2
#define LANES(F, v) F((v).s0, (v).s1)
#elif WIDTH == 4
#define LANES(F, v) F(F((v).s0, (v).s1), F((v).s2, (v).s3))
#elif WIDTH == 8
#define LANES(F, v)                                                                              \
    F(F(F((v).s0, (v).s1), F((v).s2, (v).s3)), F(F((v).s4, (v).s5), F((v).s6, (v).s7)))
#endif

/* ---- what all types have. T: the type; M: integers of its size, which a choice between lanes
 * needs; B: uchar or its vector. A comparison gives 1 for scalars and -1 in each lane of vectors:
 * `& 1` makes both 1. */
#define ALL_TYPES(T, M, B)                                                                       \
    FN B lt(T a, T b) { return TO(B)((a < b) & (M)(1)); }                                        \
    FN B le(T a, T b) { return TO(B)((a <= b) & (M)(1)); }                                       \
    FN B gt(T a, T b) { return TO(B)((a > b) & (M)(1)); }                                        \
    FN B ge(T a, T b) { return TO(B)((a >= b) & (M)(1)); }                                       \
    FN B eq(T a, T b) { return TO(B)((a == b) & (M)(1)); }                                       \
    FN B ne(T a, T b) { return TO(B)((a != b) & (M)(1)); }                                       \
    FN B truth(T a) { return TO(B)((a != (T)(0)) & (M)(1)); }                                    \
    FN T where(B c, T a, T b) { return TO(M)(c) != (M)(0) ? a : b; }

#define FLOAT_TYPES(T)                                                                           \
    FN T max_nan(T a, T b) { return ((a >= b) | (a != a)) ? a : b; }                             \
    FN T min_nan(T a, T b) { return ((a <= b) | (a != a)) ? a : b; }                             \
    FN T sgn(T x) {                                                                              \
        return x > (T)(0) ? (T)(1) : (x < (T)(0) ? (T)(-1) : (x == (T)(0) ? (T)(0) : x));        \
    }                                                                                            \
    FN T half_even(T x) { return rint(x); }                                                      \
    FN T power(T a, T b) { return pow(a, b); }                                                   \
    FN T sigmoid(T x) {                                                                          \
        const T z = exp(-fabs(x));                                                               \
        return (x >= (T)(0) ? (T)(1) : z) / ((T)(1) + z);                                        \
    }                                                                                            \
    FN T softplus(T x) { return max_nan(x, (T)(0)) + log1p(exp(-fabs(x))); }                     \
    FN T floormod(T a, T b) {                                                                    \
        const T r = fmod(a, b);                                                                  \
        const T moved = ((b < (T)(0)) != (r < (T)(0))) ? r + b : r;                              \
        return r == (T)(0) ? copysign((T)(0), b) : moved;                                        \
    }                                                                                            \
    FN T floordiv(T a, T b) {                                                                    \
        const T r = fmod(a, b);                                                                  \
        const T one = ((r != (T)(0)) & ((b < (T)(0)) != (r < (T)(0)))) ? (T)(1) : (T)(0);        \
        const T q = (a - r) / b - one;                                                           \
        const T down = floor(q);                                                                 \
        const T near = q - down > (T)(0.5f) ? down + (T)(1) : down;                              \
        const T whole = q == (T)(0) ? copysign((T)(0), a / b) : near;                            \
        return b == (T)(0) ? a / b : whole;                                                      \
    }

/* ---- integers. U: T without sign; MUL: a product that wraps, for C multiplies short ints as int
 * and may then overflow. The divisors 0 and -1 are replaced before the division: the first traps on
 * many processors, and so does the smallest number divided by the second. */
#define WRAP(U, a, b) ((a) * (b))
#define WRAP_SHORT(U, a, b) (U)((uint)(a) * (uint)(b))

#define INT_TYPES(T)                                                                             \
    FN T max_nan(T a, T b) { return max(a, b); }                                                 \
    FN T min_nan(T a, T b) { return min(a, b); }                                                 \
    FN T half_even(T x) { return x; }

/* Shifts are as in NumPy: by a negative number, or by more bits than there are, all bits leave. */
#define UNSIGNED_TYPES(T, BITS, MUL)                                                             \
    INT_TYPES(T)                                                                                 \
    FN T shift_left(T a, T n) { return n < (T)(BITS) ? (T)(a << n) : (T)(0); }                   \
    FN T shift_right(T a, T n) { return n < (T)(BITS) ? (T)(a >> n) : (T)(0); }                  \
    FN T sgn(T x) { return x != (T)(0) ? (T)(1) : (T)(0); }                                      \
    FN T floordiv(T a, T b) {                                                                    \
        return b == (T)(0) ? (T)(0) : (T)(a / (b == (T)(0) ? (T)(1) : b));                       \
    }                                                                                            \
    FN T floormod(T a, T b) { return a % (b == (T)(0) ? (T)(1) : b); }                           \
    FN T int_pow_wrapping(T base, T n) {                                                         \
        T result = (T)(1);                                                                       \
        for (int bit = 0; bit < BITS; ++bit) {                                                   \
            result = (n & (T)(1)) != (T)(0) ? MUL(T, result, base) : result;                     \
            base = MUL(T, base, base);                                                           \
            n = n >> (T)(1);                                                                     \
        }                                                                                        \
        return result;                                                                           \
    }                                                                                            \
    FN T int_pow(T a, T n) { return int_pow_wrapping(a, n); }                                    \
    FN T power(T a, T n) { return int_pow(a, n); }

#define SIGNED_TYPES(T, U, BITS)                                                                 \
    INT_TYPES(T)                                                                                 \
    FN T shift_left(T a, T n) {                                                                  \
        return ((n >= (T)(0)) & (n < (T)(BITS))) ? AS(T)((U)(AS(U)(a) << AS(U)(n))) : (T)(0);    \
    }                                                                                            \
    FN T shift_right(T a, T n) {                                                                 \
        const T rest = a < (T)(0) ? (T)(-1) : (T)(0);                                            \
        return ((n >= (T)(0)) & (n < (T)(BITS))) ? (T)(a >> n) : rest;                           \
    }                                                                                            \
    FN T sgn(T x) { return x > (T)(0) ? (T)(1) : (x < (T)(0) ? (T)(-1) : (T)(0)); }              \
    FN T floordiv(T a, T b) {                                                                    \
        const T d = ((b == (T)(0)) | (b == (T)(-1))) ? (T)(1) : b;                               \
        const T q = a / d, r = a % d;                                                            \
        const T f = ((r != (T)(0)) & ((r < (T)(0)) != (d < (T)(0)))) ? (T)(q - (T)(1)) : q;      \
        const T n = AS(T)((U)((U)(0) - AS(U)(a)));                                               \
        return b == (T)(0) ? (T)(0) : (b == (T)(-1) ? n : f);                                    \
    }                                                                                            \
    FN T floormod(T a, T b) {                                                                    \
        const T d = ((b == (T)(0)) | (b == (T)(-1))) ? (T)(1) : b;                               \
        const T r = a % d;                                                                       \
        return ((r != (T)(0)) & ((r < (T)(0)) != (d < (T)(0)))) ? (T)(r + d) : r;                \
    }                                                                                            \
    FN T int_pow(T a, T n) {                                                                     \
        const T up = AS(T)(int_pow_wrapping(AS(U)(a), AS(U)(n)));                                \
        const T odd = (n & (T)(1)) != (T)(0) ? (T)(-1) : (T)(1);                                 \
        const T down = a == (T)(1) ? (T)(1) : (a == (T)(-1) ? odd : (T)(0));                     \
        return n < (T)(0) ? down : up;                                                           \
    }                                                                                            \
    FN T power(T a, T n) { return int_pow(a, n); }

#define EVERY_TYPE(OF, MUL)                                                                      \
    ALL_TYPES(OF(char), OF(char), OF(uchar))                                                     \
    ALL_TYPES(OF(uchar), OF(char), OF(uchar))                                                    \
    ALL_TYPES(OF(short), OF(short), OF(uchar))                                                   \
    ALL_TYPES(OF(ushort), OF(short), OF(uchar))                                                  \
    ALL_TYPES(OF(int), OF(int), OF(uchar))                                                       \
    ALL_TYPES(OF(uint), OF(int), OF(uchar))                                                      \
    ALL_TYPES(OF(long), OF(long), OF(uchar))                                                     \
    ALL_TYPES(OF(ulong), OF(long), OF(uchar))                                                    \
    ALL_TYPES(OF(float), OF(int), OF(uchar))                                                     \
    FLOAT_TYPES(OF(float))                                                                       \
    UNSIGNED_TYPES(OF(uchar), 8, MUL)                                                            \
    UNSIGNED_TYPES(OF(ushort), 16, MUL)                                                          \
    UNSIGNED_TYPES(OF(uint), 32, WRAP)                                                           \
    UNSIGNED_TYPES(OF(ulong), 64, WRAP)                                                          \
    SIGNED_TYPES(OF(char), OF(uchar), 8)                                                            \
    SIGNED_TYPES(OF(short), OF(ushort), 16)                                                          \
    SIGNED_TYPES(OF(int), OF(uint), 32)                                                              \
    SIGNED_TYPES(OF(long), OF(ulong), 64)

/* T: the type; F: float, or its vector; U: ushort, or its vector; N: the end of vload_half's name. */
#define HALF_TYPES(T, F, U, N)                                                                   \
    FN F to_half(T x) {                                                                          \
        U bits;                                                                                  \
        GLUE(vstore_half, N)(x, 0, (half *)&bits);                                               \
        return GLUE(vload_half, N)(0, (half *)&bits);                                            \
    }

#define SAME(T) T
EVERY_TYPE(SAME, WRAP_SHORT)
#ifdef HAVE_FP64
ALL_TYPES(double, long, uchar)
FLOAT_TYPES(double)
HALF_TYPES(double, float, ushort, )
#endif
HALF_TYPES(float, float, ushort, )
#if WIDTH > 1
EVERY_TYPE(VEC, WRAP)
#ifdef HAVE_FP64
ALL_TYPES(VEC(double), VEC(long), VEC(uchar))
FLOAT_TYPES(VEC(double))
HALF_TYPES(VEC(double), VEC(float), VEC(ushort), WIDTH)
#endif
HALF_TYPES(VEC(float), VEC(float), VEC(ushort), WIDTH)
#endif

#endif
