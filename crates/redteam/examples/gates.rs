//! dev
use std::collections::HashMap;
use corridor_core::*;
use corridor_redteam::*;
fn ascii(s:&str)->String{ s.to_lowercase().chars().map(|c| match c {'à'|'â'|'á'|'ä'|'ã'=>'a','é'|'è'|'ê'|'ë'=>'e','ï'|'î'|'í'=>'i','ô'|'ö'|'ó'=>'o','ù'|'û'|'ü'|'ú'=>'u','ç'=>'c',c=>c}).collect() }
fn load(path:&str, salted: bool, w: u32)->(PlainList, HashMap<String,usize>) {
    let mut list=PlainList::new(); let mut ids=HashMap::new();
    let mut r=csv::Reader::from_path(path).unwrap();
    for row in r.records(){ let row=row.unwrap();
        let mut t: Vec<(String,u32)>=vec![];
        for word in ascii(&format!("{} {}",&row[1],&row[2])).split(|c:char|!c.is_ascii_alphanumeric()).filter(|w|!w.is_empty()){
            let p=format!(" {word} "); for i in 0..p.len()-1 { t.push((format!("names\u{1f}{}",&p[i..i+2]),w)); } }
        let d=&row[3]; let mut salt=String::new();
        if d.len()==10 { let (y,m,dd)=(&d[0..4],&d[5..7],&d[8..10]);
            if salted { salt=y.to_owned(); for x in [format!("m{m}"),format!("d{dd}"),format!("md{m}{dd}")] { t.push((format!("birth\u{1f}{x}"),w)); } }
            else { for x in [format!("y{y}"),format!("m{m}"),format!("d{dd}"),format!("ym{y}{m}"),format!("md{m}{dd}"),format!("yd{y}{dd}")] { t.push((format!("birth\u{1f}{x}"),w)); } } }
        t.push((format!("sex\u{1f}{}",&row[4]),w)); t.push((format!("citizenship\u{1f}{}",&row[6]),w));
        ids.insert(row[0].to_owned(), list.len());
        list.push(&salt, t);
    }
    (list,ids)
}
fn main(){
    let dir="/work/shared/data/corridor_tn_it";
    let args: Vec<String> = std::env::args().collect();
    let scheme = match args[1].as_str() { "clk"=>Scheme::Bloom{filter_len:FilterLen::try_from(1024).unwrap()}, "saul3"=>Scheme::Majority{layers:3,filter_len:FilterLen::try_from(2048).unwrap()}, _=>panic!()};
    let w = if args[1]=="clk" {10} else {1};
    let (a,ia)=load(&format!("{dir}/a.csv"),false,w); let (b,ib)=load(&format!("{dir}/b.csv"),false,w);
    let mut truth=vec![None;a.len()];
    for row in csv::Reader::from_path(format!("{dir}/truth.csv")).unwrap().records(){let row=row.unwrap(); truth[ia[&row[0]]]=Some(ib[&row[1]]);}
    let g=GraphMatching::default();
    let t0=std::time::Instant::now();
    let go=|name:&str,a:&PlainList,b:&PlainList,truth:&[Option<usize>],seeds:&[(usize,usize)]|{
        let t=std::time::Instant::now();
        let fa=scheme.encode(a,&mut SeededEntropy::new(1,"t")); let fb=scheme.encode(b,&mut SeededEntropy::new(1,"l"));
        let e=t.elapsed();
        let gs={ if let Ok(_)=std::env::var("ADAPT") { let (g,k)=g.attack_adaptively(&fa,&fb,scheme.measure(),seeds); println!("{k:?}"); g } else {g.attack(&fa,&fb,scheme.measure(),seeds)}};
        println!("{name}: {:?} encode {e:?} all {:?}",Score::of(&gs,truth,seeds),t.elapsed());
    };
    for what in args[2].split(',') {
        if let Some(n)=what.strip_prefix("known") { let n:usize=n.parse().unwrap(); let fa=scheme.encode(&a,&mut SeededEntropy::new(1,"t"));
            let all: Vec<_>=truth.iter().enumerate().filter_map(|(i,t)|t.map(|t|(i,t))).collect(); let known: Vec<_>=all.iter().copied().step_by(all.len()/n).take(n).collect();
            let t=std::time::Instant::now(); let (gs,k)=attack_by_known_pairs(&fa,&b,&known); println!("{what} {k:?} {:?} {:?}",Score::of(&gs,&truth,&known),t.elapsed()); }
        else if what=="metrics" { let fa=scheme.encode(&a,&mut SeededEntropy::new(1,"t")); println!("{:?}",FilterMetrics::of(&fa,2000,&mut SeededEntropy::new(1,"m"))); }
        else if what=="corridor" { go("corridor",&a,&b,&truth,&[]); }
        else if let Some(p)=what.strip_prefix("seeds") { let p:usize=p.parse().unwrap(); let seeds: Vec<_>=truth.iter().enumerate().filter_map(|(i,t)|t.map(|t|(i,t))).step_by(100/p).collect(); go(what,&a,&b,&truth,&seeds); }
        else { let p:usize=what.parse().unwrap(); let n=2500.min(4019*100/(200-p)); let o=n*p/100;
            let ti: Vec<usize>=(0..n).collect(); let mut li: Vec<usize>=(0..o).chain(n..2*n-o).collect(); li.reverse();
            let l=li.len(); let truth: Vec<_>=(0..n).map(|i| (i<o).then(||l-1-i)).collect();
            go(what,&a.select(&ti),&a.select(&li),&truth,&[]); }
    }
    eprintln!("{:?}",t0.elapsed());
}
