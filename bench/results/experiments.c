/* The published results and their settings. */
#include "results.h"

/* [2,1,1]: 1,000 training and 1,000 test points, as published. */
#define FIT(name_, what_, f, ...) \
  { .name = name_, .what = what_, .dataset = "function:" f, .dataset_options = "", .run = run_kan_fit, __VA_ARGS__ }

/* Published runs train on all 60,000 images; 1,000 are kept for validation here. */
#define IMAGES "train-images=59000\nvalid-images=1000\n"
#define KAN_RECIPE \
  "optimiser=adamw\nlr=0.001\nweight-decay=0.0001\nschedule=step\nstep-epochs=1\nstep-factor=0.8\nbatch=64\n"

#define NOISE_FIGURES                                                                                      \
  {                                                                                                        \
    {"test accuracy", "-"}, {"under noise 0.1", "-"}, {"under noise 0.2", "-"}, { "under noise 0.3", "-" } \
  }
#define SMALL_FASHION "train-images=10000\nvalid-images=1000\n"
#define SMALL_RECIPE  "epochs=8\nbatch=64\nlr=0.005\n"

const experiment experiments[] = {
    FIT("kan-exp-sin", "KAN [2,1,1] of cubic splines fitted to exp(sin(pi x) + y^2) with L-BFGS, arXiv:2404.19756",
        "exp(sin(pi*x)+y^2)", .stages = 4, .base_mean = 1, .base_spread = 0.1, .noise = 0.1, .grid = {3, 10, 20, 50},
        .rounds = 6, .burst = 80, .evaluations = 2000,
        .figures = {{"test RMSE, grid 3", "1.5e-2"},
                    {"test RMSE, grid 10", "3.3e-4"},
                    {"test RMSE, grid 20", "4.0e-5"},
                    {"test RMSE, grid 50", "1.2e-5"}}),
    FIT("kan-exp-j0", "KAN [2,1,1] of cubic splines fitted to exp(J0(20 x) + y^2) with L-BFGS, arXiv:2404.19756",
        "exp(j0(20*x)+y^2)", .stages = 2, .base_mean = 0, .base_spread = 1, .noise = 0.3, .grid = {3, 20}, .rounds = 4,
        .burst = 100, .evaluations = 2000, .figures = {{"test RMSE, grid 3", "-"}, {"test RMSE, grid 20", "4.7e-2"}}),
    {.name = "aptx-mnist",
     .what = "784-128-64-32 APTx neurons and a linear layer, 12 epochs, arXiv:2507.14270",
     .dataset = "mnist",
     .dataset_options = IMAGES,
     .space = "neuron-mlp",
     .space_options = "neurons=aptx\nwidths=32,64,128\n",
     .arch = "aptx:128|aptx:64|aptx:32",
     .recipe = "epochs=12\nbatch=64\noptimiser=adam\nlr=0.004\nweight-decay=0\nschedule=step\nstep-epochs=5\n"
               "step-factor=0.25\n",
     .figures = {{"test accuracy", "96.0-96.7"}},
     .run = run_training},
    {.name = "kan-bspline-mnist",
     .what = "784-64-10 KAN of B-splines, 10 epochs, the example of efficient-kan",
     .dataset = "mnist",
     .dataset_options = IMAGES "normalise=half\n",
     .space = "neuron-mlp",
     .space_options = "neurons=kan-bspline\nhead=kan-bspline\n",
     .arch = "kan-bspline:64",
     .recipe = "epochs=10\n" KAN_RECIPE,
     .figures = {{"test accuracy", "~97"}},
     .run = run_training},
    {.name = "kan-rbf-mnist",
     .what = "784-64-10 KAN of Gaussians, 10 epochs, the example of fast-kan",
     .dataset = "mnist",
     .dataset_options = IMAGES "normalise=half\n",
     .space = "neuron-mlp",
     .space_options = "neurons=kan-rbf\nhead=kan-rbf\n",
     .arch = "kan-rbf:64",
     .recipe = "epochs=10\n" KAN_RECIPE,
     .figures = {{"test accuracy", "~97 or better"}},
     .run = run_training},
    {.name = "kan-chebyshev-mnist",
     .what = "784-32-16-10 KAN of Chebyshev polynomials of degree 4 with layer norms, 30 epochs, ChebyKAN's example",
     .dataset = "mnist",
     .dataset_options = IMAGES "normalise=half\n",
     .space = "neuron-mlp",
     .space_options = "neurons=kan-chebyshev\nhead=kan-chebyshev\n",
     .arch = "kan-chebyshev:32:layer|kan-chebyshev:16:layer",
     .recipe = "epochs=30\nbatch=64\noptimiser=adam\nlr=0.0002\nweight-decay=0\nschedule=constant\n",
     .figures = {{"test accuracy", "96-97"}},
     .run = run_training},
    {.name = "lif-mnist",
     .what = "784-10 LIF neurons, pixels as random spikes, T = 100, tau 2, 100 epochs, SpikingJelly's example",
     .dataset = "mnist",
     .dataset_options = IMAGES "normalise=none\n",
     .net = lif_net,
     .recipe = "epochs=100\nbatch=64\noptimiser=adam\nlr=0.001\nweight-decay=0\nschedule=constant\nloss=squared\n",
     .figures = {{"test accuracy", "-"}, {BEST_EPOCH, "92.9"}},
     .run = run_training},
    {.name = "convkan-fashion",
     .what = "two convolutions and a dense layer of B-splines, 22,800 parameters, 12 epochs, arXiv:2406.13155",
     .dataset = "fashion-mnist",
     .dataset_options = IMAGES "normalise=half\n",
     .net = convkan_net,
     .recipe = "epochs=12\nbatch=128\noptimiser=adamw\nlr=0.001\nweight-decay=0\nschedule=constant\n",
     .figures = {{"test accuracy", "-"}, {BEST_EPOCH, "88.0"}},
     .run = run_training},
    {.name = "kuramoto-fashion",
     .what = "two layers of oscillators, 2,594 parameters, 10,000 images at half size, 8 epochs",
     .dataset = "fashion-mnist",
     .dataset_options = SMALL_FASHION,
     .net = kuramoto_net,
     .recipe = SMALL_RECIPE,
     .figures = NOISE_FIGURES,
     .run = run_robustness},
    {.name = "relu-fashion",
     .what = "the network of kuramoto-fashion with convolutions and ReLU, 2,542 parameters",
     .dataset = "fashion-mnist",
     .dataset_options = SMALL_FASHION,
     .net = relu_net,
     .recipe = SMALL_RECIPE,
     .figures = NOISE_FIGURES,
     .run = run_robustness},
    {.name = NULL},
};
