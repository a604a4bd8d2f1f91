/* The published results and their settings. */
#include "results.h"

/* [2,1,1]: 1,000 training and 1,000 test points, as published. */
#define FIT(name_, what_, f, ...) \
  { .name = name_, .what = what_, .dataset = "function:" f, .dataset_options = "", .run = run_kan_fit, __VA_ARGS__ }

const experiment experiments[] = {
    FIT("kan-exp-sin", "KAN [2,1,1] of cubic splines fitted to exp(sin(pi x) + y^2) with L-BFGS, arXiv:2404.19756",
        "exp(sin(pi*x)+y^2)", .stages = 4, .grid = {3, 10, 20, 50}, .rounds = 6, .burst = 80, .evaluations = 2000,
        .figures = {{"test RMSE, grid 3", "1.5e-2"},
                    {"test RMSE, grid 10", "3.3e-4"},
                    {"test RMSE, grid 20", "4.0e-5"},
                    {"test RMSE, grid 50", "1.2e-5"}}),
    FIT("kan-exp-j0", "KAN [2,1,1] of cubic splines fitted to exp(J0(20 x) + y^2) with L-BFGS, pykan's example 1",
        "exp(j0(20*x)+y^2)", .stages = 2, .grid = {3, 20}, .rounds = 60, .burst = 6, .evaluations = 2000,
        .figures = {{"test RMSE, grid 3", "-"}, {"test RMSE, grid 20", "4.7e-2"}}),
    {.name = NULL},
};
