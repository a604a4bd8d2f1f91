-- The schema of a table, version 5 (PRAGMA user_version). docs/schema.md describes it for people who read tables with
-- other programs. Accuracies are top-1 in percent, losses are means over images in nats, times are seconds, sizes are
-- bytes. A figure that was not measured, or that was not a number, is NULL.

-- One row per architecture: a point of a search space, whatever it was trained on.
CREATE TABLE architecture (
  id INTEGER PRIMARY KEY,
  space TEXT NOT NULL,     -- the space as name@version
  arch TEXT NOT NULL,      -- the architecture in the grammar of its space
  "index" INTEGER CHECK ("index" >= 0), -- its published index; NULL where the space has none
  canonical TEXT NOT NULL, -- the canonical form: equal networks have equal texts
  class INTEGER CHECK (class >= 0),     -- its published equivalence class; NULL where the space has none
  UNIQUE (arch, space)
) STRICT;
CREATE INDEX architecture_by_index ON architecture ("index");
CREATE INDEX architecture_by_canonical ON architecture (canonical);

-- One row per data set with its options, content and split.
CREATE TABLE dataset (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,       -- the data set as name@version
  options TEXT NOT NULL,    -- its options as key=value lines
  digest TEXT NOT NULL,     -- SHA-256 of shape, pixels and labels
  split TEXT NOT NULL,      -- SHA-256 of the lists of train, valid and test images
  n_train INTEGER NOT NULL, -- training images
  n_valid INTEGER NOT NULL, -- validation images
  n_test INTEGER NOT NULL,  -- test images
  channels INTEGER NOT NULL, -- of an image
  height INTEGER NOT NULL,   -- of an image, in pixels
  width INTEGER NOT NULL,    -- of an image, in pixels
  classes INTEGER NOT NULL,  -- number of labels
  train_split TEXT NOT NULL, -- what the field calls the images of train_ figures: train
  valid_split TEXT NOT NULL, -- likewise of valid_ figures: x-valid, valid, ...
  test_split TEXT NOT NULL,  -- likewise of test_ figures: ori-test, x-test, test, ...
  UNIQUE (name, options, digest, split)
) STRICT;

-- One row per recipe: every hyper-parameter of training.
CREATE TABLE recipe (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,    -- the recipe as name@version
  options TEXT NOT NULL, -- every hyper-parameter as key=value lines
  digest TEXT NOT NULL,  -- SHA-256 of the options
  UNIQUE (name, options, digest)
) STRICT;

-- One row per campaign: what was searched, how, by which program and where.
CREATE TABLE campaign (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,              -- the name of the campaign file
  config TEXT NOT NULL,            -- the resolved configuration as section.key=value lines
  space TEXT NOT NULL,             -- the space as name@version
  space_options TEXT NOT NULL,     -- its options as key=value lines, such as the width of the network
  evaluator TEXT NOT NULL,         -- the evaluator as name@version
  evaluator_options TEXT NOT NULL, -- its options as key=value lines
  strategy TEXT NOT NULL,          -- the strategy as name@version
  strategy_options TEXT NOT NULL,  -- its options as key=value lines
  seed INTEGER NOT NULL,           -- the campaign's seed
  program TEXT NOT NULL,           -- version and commit of the program
  machine TEXT NOT NULL,           -- processor, compiler and libraries: what the bits depend on
  dataset INTEGER NOT NULL REFERENCES dataset (id), -- what its trials train on unless they say otherwise
  recipe INTEGER NOT NULL REFERENCES recipe (id),   -- how its trials train unless they say otherwise
  created INTEGER NOT NULL         -- when the row was made, in seconds since 1970
) STRICT;

-- One row per trial: an architecture that a strategy asked for, and how its evaluation ended.
CREATE TABLE trial (
  id INTEGER PRIMARY KEY,
  campaign INTEGER NOT NULL REFERENCES campaign (id),
  number INTEGER NOT NULL CHECK (number >= 0),           -- ask number within the campaign, from 0
  asked_after INTEGER NOT NULL CHECK (asked_after >= 0), -- how many tells the strategy had had when it was asked
  architecture INTEGER NOT NULL REFERENCES architecture (id),
  dataset INTEGER NOT NULL REFERENCES dataset (id),
  recipe INTEGER NOT NULL REFERENCES recipe (id),
  seed INTEGER,                       -- of initialisation, shuffling and augmentation; NULL: a published mean over seeds
  params INTEGER CHECK (params >= 0), -- trainable numbers of the network
  macs INTEGER CHECK (macs >= 0),     -- multiply-accumulates per image
  attempt INTEGER NOT NULL DEFAULT 0, -- how often the trial was begun; 0 while it waits
  worker INTEGER,                     -- rank that runs or ran the last attempt; NULL before the first
  outcome TEXT,                       -- ok, diverged, rejected, ...; NULL until the trial is finished
  cause_code INTEGER,                 -- number of the error behind the outcome; NULL when there is none
  cause_where TEXT,                   -- the place the error names; NULL when there is none
  cause TEXT,                         -- why the outcome is not ok; NULL when it is
  epochs INTEGER,                     -- number of epochs trained; NULL until the trial is finished
  train_loss REAL,                    -- of the last epoch, as are the next five
  train_accuracy REAL,                -- over training images
  valid_loss REAL,                    -- over validation images
  valid_accuracy REAL,                -- likewise
  test_loss REAL,                     -- over test images; never shown to a strategy
  test_accuracy REAL,                 -- likewise
  train_seconds REAL,                 -- of training, all epochs together
  valid_seconds REAL,                 -- of one evaluation, the last one
  UNIQUE (campaign, number),
  CHECK ((outcome IS NULL) = (epochs IS NULL))
) STRICT;
CREATE INDEX trial_by_architecture ON trial (architecture);
CREATE INDEX trial_by_epochs ON trial (epochs);

-- One row per trial with a learning curve: eight figures for each epoch, packed so that the numbers keep their bits. The
-- view `epoch` unpacks them; docs/schema.md describes the bytes.
CREATE TABLE learning_curve (
  trial INTEGER PRIMARY KEY REFERENCES trial (id),
  data BLOB NOT NULL -- eight headers of 32 characters, then a column of numbers for each figure
) STRICT;

-- One row per named number of a trial: params, macs, peak_bytes, seconds, ...
CREATE TABLE metric (
  trial INTEGER NOT NULL REFERENCES trial (id),
  name TEXT NOT NULL, -- of the number, with its unit in it where that is not plain
  value REAL,         -- the number
  PRIMARY KEY (trial, name)
) STRICT, WITHOUT ROWID;

-- The order in which finished trials were told to the strategy: together with the asks it is the strategy's state.
CREATE TABLE tell (
  campaign INTEGER NOT NULL REFERENCES campaign (id),
  told INTEGER NOT NULL CHECK (told >= 0), -- from 0 in each campaign
  trial INTEGER NOT NULL UNIQUE REFERENCES trial (id),
  PRIMARY KEY (campaign, told)
) STRICT, WITHOUT ROWID;

-- What happened to a campaign besides results: begun, resumed, finished; workers and trials that were lost; and the like.
-- Nothing here changes what is searched or recorded elsewhere; docs/schema.md lists the kinds.
CREATE TABLE event (
  id INTEGER PRIMARY KEY,
  campaign INTEGER NOT NULL REFERENCES campaign (id),
  time REAL NOT NULL,                   -- when, in seconds since 1970
  kind TEXT NOT NULL,                   -- begun, finished, worker-lost, conflict, ...
  trial INTEGER REFERENCES trial (id),  -- that it is about; NULL: none
  worker INTEGER,                       -- rank that it is about; NULL: none
  text TEXT NOT NULL                    -- for people
) STRICT;
CREATE INDEX event_by_campaign ON event (campaign, kind);

-- One row per message between a strategy and what it consults outside the program, such as a language model.
CREATE TABLE message (
  campaign INTEGER NOT NULL REFERENCES campaign (id),
  number INTEGER NOT NULL CHECK (number >= 0), -- the ask that it belongs to, which is trial.number once it has a result
  part INTEGER NOT NULL CHECK (part >= 0),     -- place within the ask, from 0
  kind TEXT NOT NULL,                          -- prompt, answer, failure, ...: a word of the strategy's
  text TEXT NOT NULL,                          -- what was sent, said or went wrong
  tokens INTEGER CHECK (tokens >= 0),          -- that it cost; NULL: none, or not known
  seconds REAL,                                -- that it took; NULL: no time, or not known
  PRIMARY KEY (campaign, number, part)
) STRICT;

-- Asks whose result another campaign of this table had recorded with the same figures: merging tables keeps such a trial
-- once, and notes here what the campaign had of its own.
CREATE TABLE repetition (
  campaign INTEGER NOT NULL REFERENCES campaign (id),
  number INTEGER NOT NULL CHECK (number >= 0),           -- ask number within the campaign
  asked_after INTEGER NOT NULL CHECK (asked_after >= 0), -- as in trial
  told INTEGER CHECK (told >= 0),                        -- as in tell; NULL where the campaign has no tells
  trial INTEGER NOT NULL REFERENCES trial (id),          -- the trial with those figures
  PRIMARY KEY (campaign, number)
) STRICT, WITHOUT ROWID;

-- The figures of every epoch one by one: figure 0 is train_loss, then train_accuracy, valid_loss, valid_accuracy,
-- test_loss, test_accuracy, seconds, valid_seconds. Plain SQL, so that any program unpacks `learning_curve`: the number
-- before the last is 0 for NULL, a fraction of percent (kind 2), or the bits of a double (kinds 1 and 3).
CREATE VIEW epoch_figure AS
WITH RECURSIVE
  e(epoch) AS (SELECT 1 UNION ALL SELECT epoch + 1 FROM e WHERE epoch < (SELECT max(epochs) FROM trial)),
  f(figure) AS (VALUES (0), (1), (2), (3), (4), (5), (6), (7))
SELECT l.trial, e.epoch, f.figure,
       (SELECT CASE
                 WHEN kind = 0 OR code = 0 AND kind < 3 THEN NULL
                 WHEN kind = 2 THEN 100.0 * (code - 1) / base
                 WHEN bits >> 52 & 2047 = 2047 THEN iif(bits & 4503599627370495, NULL, iif(bits < 0, -9e999, 9e999))
                 ELSE iif(bits < 0, -1, 1) * pow(2, max(bits >> 52 & 2047, 1) - 1075)
                      * ((bits & 4503599627370495) | iif(bits >> 52 & 2047, 4503599627370496, 0))
               END
        FROM (SELECT kind, base, code, iif(kind = 3, code, (base + code - 1) << shift) AS bits
              FROM (SELECT kind, base, shift,
                (instr('0123456789ABCDEF', substr(digits, 1, 1)) - 1 << 60) | (instr('0123456789ABCDEF', substr(digits, 2, 1)) - 1 << 56) |
                (instr('0123456789ABCDEF', substr(digits, 3, 1)) - 1 << 52) | (instr('0123456789ABCDEF', substr(digits, 4, 1)) - 1 << 48) |
                (instr('0123456789ABCDEF', substr(digits, 5, 1)) - 1 << 44) | (instr('0123456789ABCDEF', substr(digits, 6, 1)) - 1 << 40) |
                (instr('0123456789ABCDEF', substr(digits, 7, 1)) - 1 << 36) | (instr('0123456789ABCDEF', substr(digits, 8, 1)) - 1 << 32) |
                (instr('0123456789ABCDEF', substr(digits, 9, 1)) - 1 << 28) | (instr('0123456789ABCDEF', substr(digits, 10, 1)) - 1 << 24) |
                (instr('0123456789ABCDEF', substr(digits, 11, 1)) - 1 << 20) | (instr('0123456789ABCDEF', substr(digits, 12, 1)) - 1 << 16) |
                (instr('0123456789ABCDEF', substr(digits, 13, 1)) - 1 << 12) | (instr('0123456789ABCDEF', substr(digits, 14, 1)) - 1 << 8) |
                (instr('0123456789ABCDEF', substr(digits, 15, 1)) - 1 << 4) | (instr('0123456789ABCDEF', substr(digits, 16, 1)) - 1 << 0) AS code
                FROM (SELECT kind, base, shift,
                             substr('0000000000000000' || iif(width, hex(substr(l.data, 1 + start + (e.epoch - 1) * width,
                               width)), '01'), -16) AS digits
                      FROM (SELECT cast(substr(l.data, 32 * f.figure + 1, 1) AS INTEGER) AS kind,
                                   cast(substr(l.data, 32 * f.figure + 2, 1) AS INTEGER) AS width,
                                   cast(substr(l.data, 32 * f.figure + 3, 2) AS INTEGER) AS shift,
                                   cast(substr(l.data, 32 * f.figure + 5, 8) AS INTEGER) AS start,
                                   cast(substr(l.data, 32 * f.figure + 13, 20) AS INTEGER) AS base LIMIT 1)
                      LIMIT 1)
                LIMIT 1)
              LIMIT 1)) AS value
FROM learning_curve l
JOIN trial t ON t.id = l.trial
JOIN e ON e.epoch <= t.epochs
JOIN f;

-- Every epoch of every learning curve.
CREATE VIEW epoch AS
SELECT trial, epoch, max(value) FILTER (WHERE figure = 0) AS train_loss,
       max(value) FILTER (WHERE figure = 1) AS train_accuracy, max(value) FILTER (WHERE figure = 2) AS valid_loss,
       max(value) FILTER (WHERE figure = 3) AS valid_accuracy, max(value) FILTER (WHERE figure = 4) AS test_loss,
       max(value) FILTER (WHERE figure = 5) AS test_accuracy, max(value) FILTER (WHERE figure = 6) AS seconds,
       max(value) FILTER (WHERE figure = 7) AS valid_seconds
FROM epoch_figure
GROUP BY trial, epoch;

-- One row per trial, finished or not, with everything in words. Losses and accuracies are those of its last epoch.
CREATE VIEW result AS
SELECT t.id AS trial, t.campaign, t.number, w.told, a.space, a.arch, a."index", a.canonical, a.class,
       c.space_options, d.name AS dataset, r.name AS recipe, t.seed, t.epochs,
       t.train_loss, t.train_accuracy, t.valid_loss, t.valid_accuracy, t.test_loss, t.test_accuracy,
       coalesce((SELECT m.value FROM metric m WHERE m.trial = t.id AND m.name = 'seconds'), t.train_seconds) AS seconds,
       coalesce(t.params, (SELECT m.value FROM metric m WHERE m.trial = t.id AND m.name = 'params')) AS params,
       coalesce(t.macs, (SELECT m.value FROM metric m WHERE m.trial = t.id AND m.name = 'macs')) AS macs,
       (SELECT cast(m.value AS INTEGER) FROM metric m WHERE m.trial = t.id AND m.name = 'peak_bytes') AS peak_bytes,
       t.attempt, t.worker, t.outcome, t.cause, t.train_seconds, t.valid_seconds, d.valid_split, d.test_split
FROM trial t
JOIN architecture a ON a.id = t.architecture
JOIN campaign c ON c.id = t.campaign
JOIN dataset d ON d.id = t.dataset
JOIN recipe r ON r.id = t.recipe
LEFT JOIN tell w ON w.trial = t.id;

-- Finished trials, the best validation accuracy first (that is what may be chosen by), test accuracy beside it.
CREATE VIEW leaderboard AS
SELECT row_number() OVER (ORDER BY valid_accuracy DESC, trial) AS place, trial, campaign, space, arch, "index", class,
       dataset, recipe, seed, epochs, valid_accuracy, test_accuracy, valid_loss, test_loss, seconds, params, macs,
       peak_bytes
FROM result WHERE outcome = 'ok'
ORDER BY place;

-- Every epoch of every trial with the architecture's name beside it.
CREATE VIEW curve AS
SELECT e.trial, t.campaign, a.space, a.arch, a."index", d.name AS dataset, r.name AS recipe, t.seed, e.epoch,
       e.train_loss, e.train_accuracy, e.valid_loss, e.valid_accuracy, e.test_loss, e.test_accuracy, e.seconds,
       e.valid_seconds
FROM epoch e
JOIN trial t ON t.id = e.trial
JOIN architecture a ON a.id = t.architecture
JOIN dataset d ON d.id = t.dataset
JOIN recipe r ON r.id = t.recipe;

-- Trials that ended with an outcome other than ok, and why.
CREATE VIEW failures AS
SELECT trial, campaign, number, space, arch, "index", dataset, recipe, seed, epochs, attempt, worker, outcome, cause
FROM result WHERE outcome <> 'ok';

-- Finished trials with outcome ok, one per network, data set, recipe and seed: a trial that was repeated in another
-- campaign counts once. A mean over seeds that a table published is a row whose seed is NULL, beside those of seeds. The
-- same architecture at another width (space_options) is another network.
CREATE VIEW per_seed AS
SELECT t.id AS trial, t.campaign, a.space, a.arch, a."index", a.canonical, a.class, c.space_options, d.name AS dataset,
       t.dataset AS dataset_id, r.name AS recipe, t.recipe AS recipe_id, t.seed, t.epochs, t.train_loss, t.train_accuracy,
       t.valid_loss, t.valid_accuracy, t.test_loss, t.test_accuracy,
       coalesce((SELECT m.value FROM metric m WHERE m.trial = t.id AND m.name = 'seconds'), t.train_seconds) AS seconds,
       coalesce(t.params, (SELECT m.value FROM metric m WHERE m.trial = t.id AND m.name = 'params')) AS params,
       coalesce(t.macs, (SELECT m.value FROM metric m WHERE m.trial = t.id AND m.name = 'macs')) AS macs
FROM trial t
JOIN architecture a ON a.id = t.architecture
JOIN campaign c ON c.id = t.campaign
JOIN dataset d ON d.id = t.dataset
JOIN recipe r ON r.id = t.recipe
WHERE t.outcome = 'ok' AND NOT EXISTS (
  SELECT 1 FROM trial o JOIN campaign oc ON oc.id = o.campaign
  WHERE o.architecture = t.architecture AND o.id < t.id AND o.outcome = 'ok' AND o.dataset = t.dataset
    AND o.recipe = t.recipe AND o.seed IS t.seed AND oc.space_options = c.space_options);

-- Mean and sample standard deviation over seeds, for each architecture, data set and recipe. The deviation of a single
-- seed is NULL. (Variances are rounded at 1e-11, where the sums of squares of percents end.) A mean that a table
-- published is a row of its own, with mean_of = 'published' and 0 seeds; an architecture may have both rows.
CREATE VIEW per_architecture AS
SELECT space, arch, "index", canonical, class, space_options, dataset, recipe,
       iif(seed IS NULL, 'published', 'seeds') AS mean_of, count(seed) AS seeds, max(epochs) AS epochs,
       avg(valid_accuracy) AS valid_accuracy_mean,
       sqrt(max(0, round((sum(valid_accuracy * valid_accuracy) - sum(valid_accuracy) * avg(valid_accuracy))
                         / nullif(count(valid_accuracy) - 1, 0), 11))) AS valid_accuracy_std,
       avg(test_accuracy) AS test_accuracy_mean,
       sqrt(max(0, round((sum(test_accuracy * test_accuracy) - sum(test_accuracy) * avg(test_accuracy))
                         / nullif(count(test_accuracy) - 1, 0), 11))) AS test_accuracy_std,
       avg(valid_loss) AS valid_loss_mean, avg(test_loss) AS test_loss_mean, avg(seconds) AS seconds_mean,
       max(params) AS params, max(macs) AS macs
FROM per_seed
GROUP BY arch, space, space_options, dataset_id, recipe_id, seed IS NULL;

-- The same over all architectures that are one network (one canonical form).
CREATE VIEW per_class AS
SELECT space, class, canonical, space_options, dataset, recipe,
       iif(seed IS NULL, 'published', 'seeds') AS mean_of, count(DISTINCT arch) AS architectures,
       count(*) AS trials, avg(valid_accuracy) AS valid_accuracy_mean,
       sqrt(max(0, round((sum(valid_accuracy * valid_accuracy) - sum(valid_accuracy) * avg(valid_accuracy))
                         / nullif(count(valid_accuracy) - 1, 0), 11))) AS valid_accuracy_std,
       avg(test_accuracy) AS test_accuracy_mean,
       sqrt(max(0, round((sum(test_accuracy * test_accuracy) - sum(test_accuracy) * avg(test_accuracy))
                         / nullif(count(test_accuracy) - 1, 0), 11))) AS test_accuracy_std
FROM per_seed
GROUP BY canonical, space, space_options, dataset_id, recipe_id, seed IS NULL;

-- One row per campaign: what it is and how far it has come.
CREATE VIEW progress AS
SELECT c.id AS campaign, c.name, c.space, d.name AS dataset, r.name AS recipe, c.evaluator, c.strategy, c.seed,
       count(t.id) AS trials, count(t.outcome) AS finished, count(*) FILTER (WHERE t.outcome = 'ok') AS ok,
       count(*) FILTER (WHERE t.outcome <> 'ok') AS failed, max(t.valid_accuracy) FILTER (WHERE t.outcome = 'ok')
         AS valid_accuracy_best, c.created
FROM campaign c
JOIN dataset d ON d.id = c.dataset
JOIN recipe r ON r.id = c.recipe
LEFT JOIN trial t ON t.campaign = c.id
GROUP BY c.id;

-- Trials that contradict an earlier one: the same network, data set, recipe, seed and evaluator, other figures. Times may
-- differ. The figures of curves are compared as bytes: headers and columns of the first six figures.
CREATE VIEW conflict AS
SELECT b.id AS trial, a.id AS other, b.campaign, a.campaign AS other_campaign, r.space, r.arch, d.name AS dataset,
       p.name AS recipe, b.seed, a.epochs AS other_epochs, b.epochs, a.valid_accuracy AS other_valid_accuracy,
       b.valid_accuracy, a.test_accuracy AS other_test_accuracy, b.test_accuracy
FROM trial b
CROSS JOIN trial a ON a.architecture = b.architecture AND a.id < b.id AND a.dataset = b.dataset AND a.recipe = b.recipe
  AND a.seed IS b.seed AND a.outcome = 'ok' AND b.outcome = 'ok'
CROSS JOIN campaign ac ON ac.id = a.campaign
CROSS JOIN campaign bc ON bc.id = b.campaign AND bc.space_options = ac.space_options AND bc.evaluator = ac.evaluator
  AND bc.evaluator_options = ac.evaluator_options
CROSS JOIN architecture r ON r.id = b.architecture
CROSS JOIN dataset d ON d.id = b.dataset
CROSS JOIN recipe p ON p.id = b.recipe
WHERE a.epochs <> b.epochs OR a.train_loss IS NOT b.train_loss OR a.train_accuracy IS NOT b.train_accuracy
  OR a.valid_loss IS NOT b.valid_loss OR a.valid_accuracy IS NOT b.valid_accuracy OR a.test_loss IS NOT b.test_loss
  OR a.test_accuracy IS NOT b.test_accuracy
  OR (SELECT hex(substr(data, 1, 192)) || hex(substr(data, 257, cast(substr(data, 197, 8) AS INTEGER) - 256)) FROM learning_curve
      WHERE trial = a.id) IS NOT
     (SELECT hex(substr(data, 1, 192)) || hex(substr(data, 257, cast(substr(data, 197, 8) AS INTEGER) - 256)) FROM learning_curve
      WHERE trial = b.id);
