//! x
#![allow(clippy::unwrap_used, clippy::print_stdout, dead_code)]
use analyzer::model::flow::mixture;
use analyzer::model::sample::{Step, Walk};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};

fn uniform(r: &mut ChaCha8Rng) -> f64 { ((r.next_u64() >> 11) as f64 + 0.5) / (1u64 << 53) as f64 }
fn pick(r: &mut ChaCha8Rng, row: &[f64]) -> usize { let mut u = uniform(r); for (i,p) in row.iter().enumerate() { if u < *p { return i } u -= p; } row.len()-1 }
struct Law { start: Vec<f64>, rows: Vec<Vec<f64>> } // row: m+1, last END
impl Law {
  fn walk(&self, r: &mut ChaCha8Rng, client: u32) -> Walk {
    let mut steps=vec![]; let mut s = pick(r,&self.start);
    while s < self.rows.len() { steps.push(Step{endpoint: s as u32, gap: None}); s = pick(r,&self.rows[s]); }
    Walk { start_s: i64::from(client), steps, ended: true, mass: 1000, client }
  }
  fn ln(&self, w: &Walk) -> f64 { let mut l = self.start[w.steps[0].endpoint as usize].ln(); for p in w.steps.windows(2) { l += self.rows[p[0].endpoint as usize][p[1].endpoint as usize].ln(); } l + self.rows[w.steps.last().unwrap().endpoint as usize].last().unwrap().ln() }
}
fn planted() -> Vec<(f64, Law)> {
  let m=10; let end=[0.15,0.15,0.15];
  let mk = |f: &dyn Fn(usize,usize)->f64, e: f64| Law { start: vec![1.0/m as f64; m], rows: (0..m).map(|i| { let mut row: Vec<f64> = (0..m).map(|j| f(i,j)).collect(); let t: f64 = row.iter().sum(); row.iter_mut().for_each(|x| *x *= (1.0-e)/t); row.push(e); row }).collect() };
  let fwd = mk(&|i,j| if j==(i+1)%m {5.0} else {0.6}, end[0]);
  let bwd = mk(&|i,j| if (j+1)%m==i {5.0} else {0.6}, end[1]);
  let bot = mk(&|_,_| 1.0, 0.1);
  vec![(0.5,fwd),(0.3,bwd),(0.2,bot)]
}
fn dirichlet(r: &mut ChaCha8Rng, k: usize, m: usize, sparse: f64) -> Vec<(f64, Law)> {
  (0..k).map(|c| { let rows = (0..m).map(|_| { let mut row: Vec<f64> = (0..m).map(|_| if uniform(r) < sparse { -uniform(r).ln() } else {0.0}).collect(); row[0]+=0.1; let t: f64=row.iter().sum(); row.iter_mut().for_each(|x| *x *= 0.85/t); row.push(0.15); row }).collect(); let mut start: Vec<f64> = (0..m).map(|_| -uniform(r).ln()).collect(); let t: f64=start.iter().sum(); start.iter_mut().for_each(|x| *x/=t); ((k-c) as f64/(k*(k+1)/2) as f64, Law{start,rows}) }).collect()
}
fn run(name: &str, classes: &[(f64,Law)], n: u32, seed: u64) {
  let mut r = ChaCha8Rng::seed_from_u64(seed);
  let w: Vec<f64> = classes.iter().map(|c| c.0).collect();
  let mut truth=vec![]; let mut walks=vec![];
  for c in 0..n { let k=pick(&mut r,&w); truth.push(k); walks.push(classes[k].1.walk(&mut r,c)); }
  let bayes = walks.iter().zip(&truth).filter(|(w,t)| { let l: Vec<f64> = classes.iter().map(|(p,law)| p.ln()+law.ln(w)).collect(); (0..l.len()).all(|k| l[k] <= l[**t]) }).count() as f64/n as f64;
  let t=std::time::Instant::now();
  let m = mixture::fit(&walks, mixture::Search::new(10, 1));
  let took=t.elapsed().as_secs_f64();
  let got = m.most_probable();
  let mut table = vec![vec![0usize; m.classes.len()]; classes.len()];
  for (t,g) in truth.iter().zip(&got) { table[*t][*g]+=1; }
  let acc: usize = (0..m.classes.len()).map(|g| (0..classes.len()).map(|t| table[t][g]).max().unwrap()).sum();
  let steps: usize = walks.iter().map(|w| w.steps.len()).sum();
  println!("{name} n={n} steps={steps} seed={seed} K={} true {} acc={:.4} bayes={:.4} {took:.2}s weights {:?} bic {:?}", m.classes.len(), classes.len(), acc as f64/n as f64, bayes, m.classes.iter().map(|c| (c.weight*1000.0).round()/1000.0).collect::<Vec<_>>(), m.bic.iter().map(|b| b.round()).collect::<Vec<_>>());
}
#[test]
fn try_it() {
  let mut r=ChaCha8Rng::seed_from_u64(400); run("big", &dirichlet(&mut r,4,200,0.1), 50000, 1);
  let mut r=ChaCha8Rng::seed_from_u64(400); run("bigone", &dirichlet(&mut r,1,200,0.1), 50000, 1);
  let mut r=ChaCha8Rng::seed_from_u64(400); run("bigsix", &dirichlet(&mut r,6,200,0.05), 50000, 1);
}
