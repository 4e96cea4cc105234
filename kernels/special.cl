/* Special functions that OpenCL C lacks, for float and double and vectors of them.
 *
 *   erfcx(x)          exp(x * x) * erfc(x)
 *   erfinv(x)         the inverse of erf
 *   erfcinv(x)        the inverse of erfc
 *   psi(x)            the derivative of lgamma
 *   polygamma(n, x)   the n-th derivative of psi; n is long
 *   i0(x) i1(x)       modified Bessel functions
 *
 * prelude.cl comes first. A function of a vector is that of its lanes: they branch. */
#ifndef SPECIAL
#define SPECIAL

#define AS_float(x) x##f
#define AS_double(x) x

/* The normal quantile, in the centre, in the tails and far out: M. J. Wichura, Algorithm AS241: The
 * percentage points of the normal distribution, Applied Statistics 37 (1988) 477-484. Highest powers
 * first, as in all these tables. */
#define CENTRE_OVER(L)                                                                           \
    L(2.5090809287301226727e+3), L(3.3430575583588128105e+4), L(6.7265770927008700853e+4),       \
    L(4.5921953931549871457e+4), L(1.3731693765509461125e+4), L(1.9715909503065514427e+3),       \
    L(1.3314166789178437745e+2), L(3.3871328727963666080e+0)
#define CENTRE_UNDER(L)                                                                          \
    L(5.2264952788528545610e+3), L(2.8729085735721942674e+4), L(3.9307895800092710610e+4),       \
    L(2.1213794301586595867e+4), L(5.3941960214247511077e+3), L(6.8718700749205790830e+2),       \
    L(4.2313330701600911252e+1), L(1.0)
#define NEAR_OVER(L)                                                                             \
    L(7.74545014278341407640e-4), L(2.27238449892691845833e-2), L(2.41780725177450611770e-1),    \
    L(1.27045825245236838258e+0), L(3.64784832476320460504e+0), L(5.76949722146069140550e+0),    \
    L(4.63033784615654529590e+0), L(1.42343711074968357734e+0)
#define NEAR_UNDER(L)                                                                            \
    L(1.05075007164441684324e-9), L(5.47593808499534494600e-4), L(1.51986665636164571966e-2),    \
    L(1.48103976427480074590e-1), L(6.89767334985100004550e-1), L(1.67638483018380384940e+0),    \
    L(2.05319162663775882187e+0), L(1.0)
#define FAR_OVER(L)                                                                              \
    L(2.01033439929228813265e-7), L(2.71155556874348757815e-5), L(1.24266094738807843860e-3),    \
    L(2.65321895265761230930e-2), L(2.96560571828504891230e-1), L(1.78482653991729133580e+0),    \
    L(5.46378491116411436990e+0), L(6.65790464350110377720e+0)
#define FAR_UNDER(L)                                                                             \
    L(2.04426310338993978564e-15), L(1.42151175831644588870e-7), L(1.84631831751005468180e-5),   \
    L(7.86869131145613259100e-4), L(1.48753612908506148525e-2), L(1.36929880922735805310e-1),    \
    L(5.99832206555887937690e-1), L(1.0)

/* exp(x * x) * erfc(x) between 0.5 and 4, and beyond 4 in 1 / (x * x): W. J. Cody, Rational Chebyshev
 * approximations for the error function, Mathematics of Computation 23 (1969) 631-637. */
#define MIDDLE_OVER(L)                                                                           \
    L(2.15311535474403846e-8), L(5.64188496988670089e-1), L(8.88314979438837594),                \
    L(6.61191906371416295e1), L(2.98635138197400131e2), L(8.81952221241769090e2),                \
    L(1.71204761263407058e3), L(2.05107837782607147e3), L(1.23033935479799725e3)
#define MIDDLE_UNDER(L)                                                                          \
    L(1.0), L(1.57449261107098347e1), L(1.17693950891312499e2), L(5.37181101862009858e2),        \
    L(1.62138957456669019e3), L(3.29079923573345963e3), L(4.36261909014324716e3),                \
    L(3.43936767414372164e3), L(1.23033935480374942e3)
#define LARGE_OVER(L)                                                                            \
    L(1.63153871373020978e-2), L(3.05326634961232344e-1), L(3.60344899949804439e-1),             \
    L(1.25781726111229246e-1), L(1.60837851487422766e-2), L(6.58749161529837803e-4)
#define LARGE_UNDER(L)                                                                           \
    L(1.0), L(2.56852019228982242), L(1.87295284992346047), L(5.27905102951428412e-1),           \
    L(6.05183413124413191e-2), L(2.33520497626869185e-3)

/* Chebyshev series of exp(-x) I(x) up to 8, divided by x for I1, and of exp(-x) sqrt(x) I(x) beyond: the
 * form of C. W. Clenshaw, Chebyshev series for mathematical functions (1962); the coefficients were
 * computed from their integrals to 40 digits. */
#define I0_SMALL(L)                                                                              \
    L(-4.41534164647933938e-18), L(3.3307945188222381e-17), L(-2.43127984654795469e-16),         \
    L(1.71539128555513303e-15), L(-1.16853328779934517e-14), L(7.67618549860493562e-14),         \
    L(-4.85644678311192946e-13), L(2.95505266312963983e-12), L(-1.72682629144155571e-11),        \
    L(9.67580903537323691e-11), L(-5.18979560163526291e-10), L(2.65982372468238665e-9),          \
    L(-1.30002500998624804e-8), L(6.04699502254191895e-8), L(-2.67079385394061173e-7),           \
    L(1.11738753912010372e-6), L(-4.41673835845875056e-6), L(1.64484480707288971e-5),            \
    L(-5.7541950100821037e-5), L(1.88502885095841656e-4), L(-5.76375574538582366e-4),            \
    L(1.6394756169413358e-3), L(-4.32430999505057594e-3), L(1.05464603945949983e-2),             \
    L(-2.37374148058994688e-2), L(4.93052842396707085e-2), L(-9.49010970480476444e-2),           \
    L(1.71620901522208775e-1), L(-3.04682672343198399e-1), L(6.76795274409476085e-1)
#define I0_LARGE(L)                                                                              \
    L(1.19365089084598209e-18), L(9.9214754121736986e-19), L(-7.23318048787475395e-18),          \
    L(-4.83050448594418207e-18), L(4.46562142029676e-17), L(3.46122286769746109e-17),            \
    L(-2.82762398051658348e-16), L(-3.42548561967721913e-16), L(1.77256013305652638e-15),        \
    L(3.81168066935262242e-15), L(-9.55484669882830765e-15), L(-4.15056934728722209e-14),        \
    L(1.54008621752140983e-14), L(3.8527783827421427e-13), L(7.18012445138366623e-13),           \
    L(-1.79417853150680612e-12), L(-1.32158118404477131e-11), L(-3.14991652796324136e-11),       \
    L(1.18891471078464383e-11), L(4.94060238822496959e-10), L(3.39623202570838635e-9),           \
    L(2.26666899049817806e-8), L(2.04891858946906374e-7), L(2.89137052083475648e-6),             \
    L(6.88975834691682398e-5), L(3.36911647825569409e-3), L(8.04490411014108832e-1)
#define I1_SMALL(L)                                                                              \
    L(-3.54158177254213621e-19), L(2.77791411276104637e-18), L(-2.11142121435816608e-17),        \
    L(1.55363195773620047e-16), L(-1.10559694773538631e-15), L(7.60068429473540693e-15),         \
    L(-5.04218550472791169e-14), L(3.22379336594557471e-13), L(-1.98397439776494372e-12),        \
    L(1.17361862988909016e-11), L(-6.66348972350202774e-11), L(3.62559028155211704e-10),         \
    L(-1.88724975172282929e-9), L(9.38153738649577178e-9), L(-4.44505912879632808e-8),           \
    L(2.00329475355213526e-7), L(-8.56872026469545474e-7), L(3.47025130813767848e-6),            \
    L(-1.32731636560394358e-5), L(4.78156510755005423e-5), L(-1.61760815825896746e-4),           \
    L(5.12285956168575773e-4), L(-1.51357245063125315e-3), L(4.15642294431288816e-3),            \
    L(-1.05640848946261982e-2), L(2.47264490306265168e-2), L(-5.29459812080949914e-2),           \
    L(1.02643658689847095e-1), L(-1.76416518357834055e-1), L(2.52587186443633655e-1)
#define I1_LARGE(L)                                                                              \
    L(-1.24219327519489096e-18), L(-9.31417886732688338e-19), L(7.51729631084210481e-18),        \
    L(4.41434832307170795e-18), L(-4.65030536848935833e-17), L(-3.20952592199342396e-17),        \
    L(2.96262899764595014e-16), L(3.30820231092092828e-16), L(-1.88035477551078245e-15),         \
    L(-3.8144030724370078e-15), L(1.04202769841288028e-14), L(4.27244001671195135e-14),          \
    L(-2.10154184277266431e-14), L(-4.08355111109219732e-13), L(-7.19855177624590851e-13),       \
    L(2.03562854414708951e-12), L(1.41258074366137813e-11), L(3.25260358301548824e-11),          \
    L(-1.89749581235054123e-11), L(-5.58974346219658381e-10), L(-3.83538038596423702e-9),        \
    L(-2.63146884688951951e-8), L(-2.51223623787020893e-7), L(-3.88256480887769039e-6),          \
    L(-1.10588938762623716e-4), L(-9.76109749136146841e-3), L(7.7857623501828012e-1)

/* B(2k) / (2k)!, for the sum formula of Euler and Maclaurin. */
#define BERNOULLI(L)                                                                             \
    L(8.3333333333333333e-2), L(-1.3888888888888889e-3), L(3.3068783068783069e-5),               \
    L(-8.2671957671957672e-7), L(2.0876756987868099e-8), L(-5.2841901386874932e-10),             \
    L(1.3382536530684679e-11), L(-3.3896802963225829e-13), L(8.5860620562778446e-15),            \
    L(-2.1748686985580619e-16)

#define TABLE(NAME, T) constant T GLUE(NAME##_, T)[] = {NAME(AS_##T)};
#define TABLES(T)                                                                                \
    TABLE(CENTRE_OVER, T)                                                                        \
    TABLE(CENTRE_UNDER, T)                                                                       \
    TABLE(NEAR_OVER, T)                                                                          \
    TABLE(NEAR_UNDER, T)                                                                         \
    TABLE(FAR_OVER, T)                                                                           \
    TABLE(FAR_UNDER, T)                                                                          \
    TABLE(MIDDLE_OVER, T)                                                                        \
    TABLE(MIDDLE_UNDER, T)                                                                       \
    TABLE(LARGE_OVER, T)                                                                         \
    TABLE(LARGE_UNDER, T)                                                                        \
    TABLE(I0_SMALL, T)                                                                           \
    TABLE(I0_LARGE, T)                                                                           \
    TABLE(I1_SMALL, T)                                                                           \
    TABLE(I1_LARGE, T)                                                                           \
    TABLE(BERNOULLI, T)

#define LENGTH(table) ((int)(sizeof(table) / sizeof(table[0])))
#define HORNER(NAME, T, x) horner(GLUE(NAME##_, T), LENGTH(GLUE(NAME##_, T)), x)
#define RATIO(NAME, T, x) (HORNER(NAME##_OVER, T, x) / HORNER(NAME##_UNDER, T, x))
#define CLENSHAW(NAME, T, x) clenshaw(GLUE(NAME##_, T), LENGTH(GLUE(NAME##_, T)), x)

#define SPECIAL_TYPES(T, L)                                                                      \
    FN T horner(constant const T *c, int n, T x) {                                               \
        T sum = c[0];                                                                            \
        for (int i = 1; i < n; ++i) sum = sum * x + c[i];                                        \
        return sum;                                                                              \
    }                                                                                            \
    FN T clenshaw(constant const T *c, int n, T x) {                                             \
        T now = 0, last = 0, before = 0;                                                         \
        for (int i = 0; i < n; ++i) {                                                            \
            before = last;                                                                       \
            last = now;                                                                          \
            now = 2 * x * last - before + c[i];                                                  \
        }                                                                                        \
        return (now - before) / 2;                                                               \
    }                                                                                            \
    /* exp(x * x): the rounding of the square would be multiplied by x */                        \
    FN T exp_square(T x) {                                                                       \
        const T near = trunc(x * 16) / 16;                                                       \
        if (fabs(x) > 30) return INFINITY;                                                       \
        return exp(near * near) * exp((x - near) * (x + near));                                  \
    }                                                                                            \
    FN T erfcx(T x) {                                                                            \
        const T y = fabs(x);                                                                     \
        if (y < L(0.46875)) return exp(x * x) * erfc(x);                                         \
        const T z = 1 / (y * y);                                                                 \
        const T large = (L(0.56418958354775628695) - z * RATIO(LARGE, T, z)) / y;                \
        const T found = y <= 4 ? RATIO(MIDDLE, T, y) : large;                                    \
        return x < 0 ? 2 * exp_square(x) - found : (x != x ? x : found);                         \
    }                                                                                            \
    /* The quantile of the probability p in a tail, over the square root of 2. */                \
    FN T normal_tail(T p) {                                                                      \
        const T r = sqrt(-log(p));                                                               \
        const T near = RATIO(NEAR, T, r - L(1.6)), far = RATIO(FAR, T, r - L(5.0));              \
        return p == 0 ? (T)INFINITY : (r <= 5 ? near : far) * L(0.70710678118654752440);         \
    }                                                                                            \
    FN T normal_centre(T q) {                                                                    \
        return q * RATIO(CENTRE, T, L(0.180625) - q * q) * L(0.70710678118654752440);            \
    }                                                                                            \
    FN T erfinv(T x) {                                                                           \
        if (fabs(x) <= L(0.85)) return normal_centre(x / 2);                                     \
        return copysign(normal_tail((1 - fabs(x)) / 2), x);                                      \
    }                                                                                            \
    FN T erfcinv(T x) {                                                                          \
        if (fabs(1 - x) <= L(0.85)) return normal_centre((1 - x) / 2);                           \
        return x < 1 ? normal_tail(x / 2) : -normal_tail((2 - x) / 2);                           \
    }                                                                                            \
    FN T psi(T x) {                                                                              \
        if (x == 0) return copysign((T)INFINITY, -x);                                            \
        if (x < 0 && x == floor(x)) return (T)NAN;                                               \
        T sum = 0;                                                                               \
        if (x < 0) {                                                                             \
            sum = -L(3.14159265358979323846) / tanpi(x);                                         \
            x = 1 - x;                                                                           \
        }                                                                                        \
        for (; x < 10; x += 1) sum -= 1 / x;                                                     \
        const T z = 1 / (x * x);                                                                 \
        const T series =                                                                         \
            z * (L(0.083333333333333333) - z * (L(0.0083333333333333333) -                       \
            z * (L(0.0039682539682539683) - z * (L(0.0041666666666666667) -                      \
            z * (L(0.0075757575757575758) - z * (L(0.021092796092796093) -                       \
            z * L(0.083333333333333333)))))));                                                   \
        return sum + log(x) - L(0.5) / x - series;                                               \
    }                                                                                            \
    /* The sum of 1 / (q + k) ** s over all k from 0. */                                         \
    FN T hurwitz(T s, T q) {                                                                     \
        T sum = 0;                                                                               \
        for (; q < 12; q += 1) sum += pow(q, -s);                                                \
        const T power = pow(q, -s);                                                              \
        T factor = s * power / q, rest = power * q / (s - 1) + power / 2;                        \
        for (int k = 0; k < LENGTH(GLUE(BERNOULLI_, T)); ++k) {                                  \
            rest += GLUE(BERNOULLI_, T)[k] * factor;                                             \
            factor *= (s + 2 * k + 1) * (s + 2 * k + 2) / (q * q);                               \
        }                                                                                        \
        return sum + rest;                                                                       \
    }                                                                                            \
    FN T polygamma(long n, T x) {                                                                \
        if (n == 0) return psi(x);                                                               \
        if (n < 0 || x != x || x < -10000) return (T)NAN; /* the sum would be too long */        \
        const bool pole = x <= 0 && x == floor(x);                                               \
        const T sum = pole ? (T)INFINITY : hurwitz((T)(n + 1), x);                               \
        const T size = tgamma((T)(n + 1)) * sum;                                                 \
        return n % 2 == 0 ? -size : size;                                                        \
    }                                                                                            \
    FN T i0(T x) {                                                                               \
        const T y = fabs(x);                                                                     \
        const T small = CLENSHAW(I0_SMALL, T, y / 4 - 1);                                        \
        const T large = CLENSHAW(I0_LARGE, T, 16 / y - 1) / sqrt(y);                             \
        return exp(y) * (y <= 8 ? small : large);                                                \
    }                                                                                            \
    FN T i1(T x) {                                                                               \
        const T y = fabs(x);                                                                     \
        const T small = CLENSHAW(I1_SMALL, T, y / 4 - 1) * y;                                    \
        const T large = CLENSHAW(I1_LARGE, T, 16 / y - 1) / sqrt(y);                             \
        return copysign(exp(y) * (y <= 8 ? small : large), x);                                   \
    }

#if WIDTH == 2
#define EACH(F, T) FN VEC(T) F(VEC(T) x) { return (VEC(T))(F(x.s0), F(x.s1)); }
#define EACH_ORDER(F, T)                                                                         \
    FN VEC(T) F(VEC(long) n, VEC(T) x) { return (VEC(T))(F(n.s0, x.s0), F(n.s1, x.s1)); }
#elif WIDTH == 4
#define EACH(F, T)                                                                               \
    FN VEC(T) F(VEC(T) x) { return (VEC(T))(F(x.s0), F(x.s1), F(x.s2), F(x.s3)); }
#define EACH_ORDER(F, T)                                                                         \
    FN VEC(T) F(VEC(long) n, VEC(T) x) {                                                         \
        return (VEC(T))(F(n.s0, x.s0), F(n.s1, x.s1), F(n.s2, x.s2), F(n.s3, x.s3));             \
    }
#elif WIDTH == 8
#define EACH(F, T)                                                                               \
    FN VEC(T) F(VEC(T) x) {                                                                      \
        return (VEC(T))(F(x.s0), F(x.s1), F(x.s2), F(x.s3), F(x.s4), F(x.s5), F(x.s6), F(x.s7)); \
    }
#define EACH_ORDER(F, T)                                                                         \
    FN VEC(T) F(VEC(long) n, VEC(T) x) {                                                         \
        return (VEC(T))(F(n.s0, x.s0), F(n.s1, x.s1), F(n.s2, x.s2), F(n.s3, x.s3),              \
                        F(n.s4, x.s4), F(n.s5, x.s5), F(n.s6, x.s6), F(n.s7, x.s7));             \
    }
#else
#define EACH(F, T)
#define EACH_ORDER(F, T)
#endif

#define SPECIAL_VECTORS(T)                                                                       \
    EACH(erfcx, T)                                                                               \
    EACH(erfinv, T)                                                                              \
    EACH(erfcinv, T)                                                                             \
    EACH(psi, T)                                                                                 \
    EACH_ORDER(polygamma, T)                                                                     \
    EACH(i0, T)                                                                                  \
    EACH(i1, T)

TABLES(float)
SPECIAL_TYPES(float, AS_float)
SPECIAL_VECTORS(float)
#ifdef HAVE_FP64
TABLES(double)
SPECIAL_TYPES(double, AS_double)
SPECIAL_VECTORS(double)
#endif

#endif
